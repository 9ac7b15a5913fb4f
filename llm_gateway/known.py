"""The table of providers with OpenAI's chat completions: where each one is, what it wants as credential, in
what it differs. Data, not code: a new provider is a row of `known.json`.
"""

import functools
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from llm_gateway.quirks import Quirks

OpenAIWire = Literal["openai_chat", "openai_responses"]
_TABLE = Path(__file__).with_name("known.json")


class Known(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`base_url` may hold names in braces, which the operator has to fill in: then it is only an example.
    `source` is where the provider itself documents it. `env` is what its key is usually called.
    """

    base_url: str
    source: str
    env: str = ""
    key_header: str = "authorization"
    key_prefix: str = "Bearer "
    counts_streams: bool = True
    wires: tuple[OpenAIWire, ...] = ("openai_chat",)
    paths: dict[str, str] = {}
    quirks: Quirks | None = None


@functools.cache
def table() -> dict[str, Known]:
    """The rows by name. Read when it is first needed."""
    return msgspec.json.decode(_TABLE.read_bytes(), type=dict[str, Known])
