"""Token counts as Responses writes them. What cannot be true is as good as absent."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from llm_gateway.formats.openai_chat.usage import Count
from shared.ledger.entry import Usage


class _InputDetails(Struct, frozen=True):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None


class _OutputDetails(Struct, frozen=True):
    reasoning_tokens: Count | None = None


class _Usage(Struct, frozen=True):
    input_tokens: Count
    output_tokens: Count = 0
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


_decode = msgspec.json.Decoder(_Usage | None).decode


def usage_of(raw: Raw) -> Usage | None:
    try:
        found = _decode(raw) if bytes(raw) else None
    except (ValueError, RecursionError):
        return None
    if found is None:
        return None
    given = found.input_tokens_details or _InputDetails()
    made = found.output_tokens_details or _OutputDetails()
    return Usage(
        tokens_in=found.input_tokens,
        tokens_out=found.output_tokens,
        cached=given.cached_tokens or 0,
        cache_write=given.cache_write_tokens or 0,
        reasoning=made.reasoning_tokens or 0,
    )


def usage_said(usage: Usage) -> dict[str, Any]:
    details = {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write}
    return {
        "input_tokens": usage.tokens_in,
        "input_tokens_details": details,
        "output_tokens": usage.tokens_out,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.tokens,
    }
