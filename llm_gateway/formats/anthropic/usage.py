"""Token counts as Anthropic writes them: its input leaves out what the cache gave or took, ours includes it.
What cannot be true is as good as absent.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from shared.ledger.entry import Usage

Count = Annotated[int, Meta(ge=0, le=2**32)]


class _Made(Struct, frozen=True):
    thinking_tokens: Count | None = None


class WireUsage(Struct, frozen=True):
    """Also one event's part of it: every member may be absent, and what is there is a total."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    output_tokens_details: _Made | None = None

    def joined(self, later: "WireUsage") -> "WireUsage":
        """These counts with those of a `later` event over them. Some providers fill what they do not count
        there with zeros.
        """
        known = {name: getattr(later, name) for name in self.__struct_fields__}
        return msgspec.structs.replace(self, **{name: value for name, value in known.items() if value})

    @property
    def neutral(self) -> Usage:
        read, written = self.cache_read_input_tokens or 0, self.cache_creation_input_tokens or 0
        made = self.output_tokens_details
        return Usage(
            tokens_in=(self.input_tokens or 0) + read + written,
            tokens_out=self.output_tokens or 0,
            cached=read,
            cache_write=written,
            reasoning=(made.thinking_tokens or 0) if made is not None else 0,
        )


_decode = msgspec.json.Decoder(WireUsage | None).decode


def read_usage(raw: Raw) -> WireUsage | None:
    if not bytes(raw):
        return None
    try:
        found: WireUsage | None = _decode(raw)
    except (ValueError, RecursionError):
        return None
    return found


def usage_of(raw: Raw) -> Usage | None:
    """Of a whole reply: None where it does not say what came in and what went out."""
    wire = read_usage(raw)
    if wire is None or wire.input_tokens is None or wire.output_tokens is None:
        return None
    return wire.neutral


def written(usage: Usage) -> dict[str, Any]:
    told: dict[str, Any] = {
        "input_tokens": max(0, usage.tokens_in - usage.cached - usage.cache_write),
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.tokens_out,
    }
    if usage.reasoning:
        told["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return told
