"""Neutral parts as the content blocks that Anthropic takes in a request."""

import base64
import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from llm_gateway.chat.parts import (
    AnyPart,
    Audio,
    File,
    Foreign,
    Image,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from llm_gateway.formats.anthropic.blocks import Block
from llm_gateway.formats.anthropic.signatures import ORIGIN

_CACHED = {"type": "ephemeral"}
_FORBIDDEN_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_BEGINNINGS = {"iVBOR": "image/png", "R0lG": "image/gif", "UklGR": "image/webp"}
_PDF = "application/pdf"
_arguments = msgspec.json.Decoder(dict[str, Raw]).decode


def blocks_of(parts: tuple[AnyPart, ...], dropped: list[str]) -> list[Block]:
    """Without those that say nothing, which Anthropic refuses."""
    found: list[Block] = []
    block: Block | None = None
    for part in parts:
        if isinstance(part, Foreign) and part.origin == ORIGIN and "type" not in part.value:
            # What belongs to the block before it and has no place in a neutral part.
            if block is not None:
                found[-1] = {**found[-1], **part.value}
            continue
        block = _WRITERS[type(part)](part, dropped)
        if block is not None:
            found.append({**block, "cache_control": _CACHED} if part.cache_point else block)
    return found


def input_of(call: ToolCall) -> Any:
    """A call's arguments, digit for digit. Anthropic wants an object: what is none, because it is free text
    or cut off, becomes the only member of one.
    """
    if call.custom:
        return {"input": call.arguments}
    if not call.arguments.strip():
        return {}
    try:
        _arguments(call.arguments)
    except (ValueError, RecursionError):
        return {"input": call.arguments}
    return Raw(call.arguments.encode())


def id_of(call: str) -> str:
    """A call's id in the letters that Anthropic allows; calls and results stay together."""
    return _FORBIDDEN_IN_ID.sub("_", call) or "_"


def _text(part: Text | Refusal, dropped: list[str]) -> Block | None:
    return {"type": "text", "text": part.text} if part.text.strip() else None


def _image(part: Image, dropped: list[str]) -> Block:
    if part.detail not in ("", "auto"):
        dropped.append("image.detail")
    if part.url:
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    media_type = part.media_type or _guessed(part.data)
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": part.data}}


def _guessed(data: str) -> str:
    return next((kind for start, kind in _BEGINNINGS.items() if data.startswith(start)), "image/jpeg")


def _audio(part: Audio, dropped: list[str]) -> None:
    dropped.append("audio")


def _file(part: File, dropped: list[str]) -> Block | None:
    source = _source(part)
    if source is None:
        dropped.append("file")
        return None
    if part.media_type.startswith("image/"):
        return {"type": "image", "source": source}
    return {"type": "document", "source": source} | ({"title": part.name} if part.name else {})


def _source(part: File) -> Block | None:
    """None for what Anthropic cannot read: it takes PDF and plain text."""
    if part.id:
        return {"type": "file", "file_id": part.id}
    if part.url:
        return {"type": "url", "url": part.url}
    if part.media_type in (_PDF, ""):
        return {"type": "base64", "media_type": _PDF, "data": part.data}
    if part.media_type.startswith("image/"):
        return {"type": "base64", "media_type": part.media_type, "data": part.data}
    if not part.media_type.startswith("text/"):
        return None
    try:
        text = base64.b64decode(part.data).decode()
    except ValueError:
        return None
    return {"type": "text", "media_type": "text/plain", "data": text}


def _thinking(part: Thinking, dropped: list[str]) -> Block | None:
    """Only Anthropic's own and as it was, for the signature is checked."""
    if part.origin != ORIGIN or not part.signature:
        dropped.append("thinking")
        return None
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.signature}
    return {"type": "thinking", "thinking": part.text, "signature": part.signature}


def _call(part: ToolCall, dropped: list[str]) -> Block:
    return {"type": "tool_use", "id": id_of(part.id), "name": part.name, "input": input_of(part)}


def _result(part: ToolResult, dropped: list[str]) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": id_of(part.call_id)}
    content = blocks_of(part.content, dropped)
    if content:
        block["content"] = content
    if part.is_error:
        block["is_error"] = True
    return block


def _foreign(part: Foreign, dropped: list[str]) -> Block | None:
    if part.origin == ORIGIN:
        return part.value
    dropped.append(part.kind)
    return None


_WRITERS: dict[type[AnyPart], Callable[[Any, list[str]], Block | None]] = {
    Text: _text,
    Refusal: _text,
    Image: _image,
    Audio: _audio,
    File: _file,
    Thinking: _thinking,
    ToolCall: _call,
    ToolResult: _result,
    Foreign: _foreign,
}
