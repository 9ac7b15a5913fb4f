"""Token counts as Gemini writes them: thoughts stand beside the candidates, not in them. What cannot be true
is as good as absent.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from shared.ledger.entry import Usage

Count = Annotated[int, Meta(ge=0, le=2**32)] | None


class _Modality(Struct, frozen=True, rename="camel"):
    modality: str = ""
    token_count: Count = None


_Details = list[_Modality] | None


class WireUsage(Struct, frozen=True, rename="camel", omit_defaults=True):
    """`prompt_token_count` includes what came from a cache."""

    prompt_token_count: Count = None
    cached_content_token_count: Count = None
    candidates_token_count: Count = None
    thoughts_token_count: Count = None
    tool_use_prompt_token_count: Count = None
    total_token_count: Count = None
    prompt_tokens_details: _Details = None
    candidates_tokens_details: _Details = None


_decode = msgspec.json.Decoder(WireUsage | None).decode


def read(raw: Raw) -> Usage | None:
    if not bytes(raw):
        return None
    try:
        wire = _decode(raw)
    except (ValueError, RecursionError):
        return None
    if wire is None or wire.prompt_token_count is None:
        return None
    thoughts = wire.thoughts_token_count or 0
    return Usage(
        tokens_in=wire.prompt_token_count + (wire.tool_use_prompt_token_count or 0),
        tokens_out=(wire.candidates_token_count or 0) + thoughts,
        cached=wire.cached_content_token_count or 0,
        reasoning=thoughts,
        audio_in=_of("AUDIO", wire.prompt_tokens_details),
        audio_out=_of("AUDIO", wire.candidates_tokens_details),
        image_in=_of("IMAGE", wire.prompt_tokens_details),
    )


def write(usage: Usage) -> dict[str, Any]:
    wire = WireUsage(
        prompt_token_count=usage.tokens_in,
        cached_content_token_count=usage.cached or None,
        candidates_token_count=max(0, usage.tokens_out - usage.reasoning),
        thoughts_token_count=usage.reasoning or None,
        total_token_count=usage.tokens,
        prompt_tokens_details=_details(usage.tokens_in, usage.audio_in, usage.image_in),
        candidates_tokens_details=_details(usage.tokens_out - usage.reasoning, usage.audio_out),
    )
    found: dict[str, Any] = msgspec.to_builtins(wire)
    return found


def _of(modality: str, details: _Details) -> int:
    return sum(item.token_count or 0 for item in details or () if item.modality == modality)


def _details(total: int, audio: int, image: int = 0) -> _Details:
    if not (audio or image):
        return None
    counted = {"TEXT": max(0, total - audio - image), "AUDIO": audio, "IMAGE": image}
    return [_Modality(name, count) for name, count in counted.items() if count]
