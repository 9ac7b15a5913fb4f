"""Counting tokens before a call (`/v1/messages/count_tokens`): what is asked, and what is answered."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from llm_gateway.ask import Ask
from llm_gateway.formats.anthropic import Anthropic
from llm_gateway.formats.anthropic.read import read_ask
from shared.errors import UpstreamBroken

PATHS = ("/v1/messages/count_tokens", "/anthropic/v1/messages/count_tokens")


class _Count(Struct, frozen=True):
    input_tokens: Annotated[int, Meta(ge=0, le=2**40)]


_decode = msgspec.json.Decoder(_Count).decode


def read_count(body: bytes, params: Mapping[str, str]) -> Ask:
    """A request as for a message, but without its `max_tokens`. Raises BadRequest."""
    return read_ask(body, counting=True)


def count_body(ask: Ask, model: str) -> bytes:
    """The request as a provider of Anthropic's format gets it: a count has no length and no stream."""
    body = Anthropic().body_for(ask, model, count=False)
    if body.find(b'"max_tokens"') < 0 and not ask.stream:
        return body
    asked: dict[str, Raw] = msgspec.json.decode(body, type=dict[str, Raw])
    return msgspec.json.encode(
        {name: raw for name, raw in asked.items() if name not in ("max_tokens", "stream")}
    )


def count_reply(tokens: int) -> bytes:
    return msgspec.json.encode(_Count(tokens))


def count_of(body: bytes) -> int:
    """What a provider has counted. Raises UpstreamBroken."""
    try:
        return _decode(body).input_tokens
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken("the provider's answer is no count of tokens", cause=error) from error
