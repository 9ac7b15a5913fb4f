"""Usage as endpoints next to chat write it. What cannot be true is as good as absent."""

import math
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from shared.ledger.entry import Usage

Count = Annotated[int, Meta(ge=0, le=2**32)]
Seconds = Annotated[float, Meta(ge=0, le=1e8)]


class _Details(Struct, frozen=True):
    image_tokens: Count | None = None
    audio_tokens: Count | None = None
    cached_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class _Usage(Struct, frozen=True):
    """All the names that usage goes by: embeddings and rerankers count prompt tokens, images and audio input
    tokens, older audio models seconds.
    """

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    total_tokens: Count | None = None
    seconds: Seconds | None = None
    input_tokens_details: _Details | None = None
    input_token_details: _Details | None = None
    output_tokens_details: _Details | None = None


_decode = msgspec.json.Decoder(_Usage | None).decode


def read_usage(raw: Raw | bytes) -> Usage | None:
    """None where nothing is counted."""
    try:
        wire = _decode(raw) if bytes(raw) else None
    except (ValueError, RecursionError):
        return None
    if wire is None:
        return None
    given = _first(wire.input_tokens, wire.prompt_tokens)
    if given is None and wire.seconds is not None:
        return Usage(units=math.ceil(wire.seconds))
    made = _first(wire.output_tokens, wire.completion_tokens)
    given = _first(given, wire.total_tokens)
    if given is None:
        return None
    details = wire.input_tokens_details or wire.input_token_details or _Details()
    return Usage(
        tokens_in=given,
        tokens_out=made or 0,
        image_in=details.image_tokens or 0,
        audio_in=details.audio_tokens or 0,
        cached=details.cached_tokens or 0,
        reasoning=(wire.output_tokens_details or _Details()).reasoning_tokens or 0,
    )


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
