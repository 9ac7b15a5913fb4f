"""The neutral reply."""

from enum import StrEnum

from msgspec import Struct

from llm_gateway.chat.parts import AnyPart
from shared.ledger.entry import Usage


class Stop(StrEnum):
    """Why a model stopped. `pause`: it wants to be asked again with what it has said until now."""

    END = "end"
    SEQUENCE = "sequence"
    LENGTH = "length"
    TOOLS = "tools"
    FILTERED = "filtered"
    PAUSE = "pause"


class Reply(Struct, frozen=True, kw_only=True):
    """`model` is what the provider says it was. `created` in seconds since 1970, 0 where nobody said.
    `usage` is None where the provider did not count. `items` are the names under which it may keep what it
    has said.
    """

    id: str
    model: str
    parts: tuple[AnyPart, ...]
    stop: Stop
    stop_sequence: str = ""
    usage: Usage | None = None
    created: int = 0
    items: tuple[str, ...] = ()
