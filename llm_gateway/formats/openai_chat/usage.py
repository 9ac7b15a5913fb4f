"""Token counts as OpenAI-compatible providers write them. What cannot be true is as good as absent."""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from shared.ledger.entry import Usage

Count = Annotated[int, Meta(ge=0, le=2**32)]


class _InputDetails(Struct, frozen=True):
    cached_tokens: Count | None = None


class _OutputDetails(Struct, frozen=True):
    reasoning_tokens: Count | None = None


class WireUsage(Struct, frozen=True):
    """`prompt_tokens` includes the cached ones, `completion_tokens` the reasoning."""

    prompt_tokens: Count
    completion_tokens: Count = 0
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None

    @classmethod
    def read(cls, raw: Raw) -> Usage | None:
        if not bytes(raw):
            return None
        try:
            wire = _decode(raw)
        except (ValueError, RecursionError):
            return None
        if wire is None:
            return None
        given, made = wire.prompt_tokens_details, wire.completion_tokens_details
        return Usage(
            tokens_in=wire.prompt_tokens,
            tokens_out=wire.completion_tokens,
            cached=(given.cached_tokens or 0) if given is not None else 0,
            reasoning=(made.reasoning_tokens or 0) if made is not None else 0,
        )


_decode = msgspec.json.Decoder(WireUsage | None).decode
