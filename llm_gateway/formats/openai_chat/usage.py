"""Token counts as OpenAI-compatible providers write them. What cannot be true is as good as absent."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from shared.ledger.entry import Usage

Count = Annotated[int, Meta(ge=0, le=2**32)]


class _InputDetails(Struct, frozen=True):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    audio_tokens: Count | None = None
    image_tokens: Count | None = None


class _OutputDetails(Struct, frozen=True):
    reasoning_tokens: Count | None = None
    audio_tokens: Count | None = None


_NO_INPUT, _NO_OUTPUT = _InputDetails(), _OutputDetails()


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
        given = wire.prompt_tokens_details or _NO_INPUT
        made = wire.completion_tokens_details or _NO_OUTPUT
        return Usage(
            tokens_in=wire.prompt_tokens,
            tokens_out=wire.completion_tokens,
            cached=given.cached_tokens or 0,
            reasoning=made.reasoning_tokens or 0,
            cache_write=given.cache_write_tokens or 0,
            audio_in=given.audio_tokens or 0,
            audio_out=made.audio_tokens or 0,
            image_in=given.image_tokens or 0,
        )


_decode = msgspec.json.Decoder(WireUsage | None).decode


def usage_said(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.tokens_in,
        "completion_tokens": usage.tokens_out,
        "total_tokens": usage.tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_write,
            "audio_tokens": usage.audio_in,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": usage.audio_out,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
