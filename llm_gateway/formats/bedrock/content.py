"""Neutral parts as Converse's content blocks. What has no block is named as dropped."""

import hashlib
import re
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
from llm_gateway.formats.bedrock.media import audio_block, document_block, image_block
from shared.errors import BadRequest

ORIGIN = "bedrock"
CACHE_POINT: dict[str, Any] = {"cachePoint": {"type": "default"}}
Json = dict[str, Any]

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_STRANGE = re.compile(r"[^A-Za-z0-9_-]")
_arguments = msgspec.json.Decoder(dict[str, Raw]).decode


class Blocks:
    """Writes the blocks of one request. `dropped` is what could not be said of it."""

    def __init__(self) -> None:
        self.dropped: list[str] = []
        self._titles: set[str] = set()

    def of(self, part: AnyPart) -> list[Json]:
        """A part's block, with a cache point behind it where the caller wants one; nothing for what says
        nothing.
        """
        block = self._block(part)
        if block is None:
            return []
        return [block, CACHE_POINT] if part.cache_point else [block]

    def _block(self, part: AnyPart) -> Json | None:
        match part:
            case Text(text=text) | Refusal(text=text):
                return {"text": text} if text.strip() else None
            case ToolCall():
                return _call(part)
            case ToolResult():
                return self._result(part)
            case Thinking():
                return self._thinking(part)
            case Image():
                return self._image(part)
            case File():
                return self._or_dropped(document_block(part, self._titles))
            case Audio():
                return self._or_dropped(audio_block(part))
            case Foreign():
                return self._foreign(part)

    def _thinking(self, part: Thinking) -> Json | None:
        """Nobody else's thoughts: a signature is checked by the model that gave it."""
        if part.origin != ORIGIN:
            self.dropped.append("thinking")
            return None
        if part.redacted:
            return {"reasoningContent": {"redactedContent": part.signature}}
        signed = {"signature": part.signature} if part.signature else {}
        return {"reasoningContent": {"reasoningText": {"text": part.text, **signed}}}

    def _image(self, image: Image) -> Json | None:
        block = self._or_dropped(image_block(image))
        if block is not None and image.detail in ("low", "high"):
            self.dropped.append("image.detail")
        return block

    def _or_dropped(self, block: Json | str) -> Json | None:
        if isinstance(block, str):
            self.dropped.append(block)
            return None
        return block

    def _foreign(self, part: Foreign) -> Json | None:
        if part.origin == ORIGIN:
            return part.value
        self.dropped.append(part.kind)
        return None

    def _result(self, result: ToolResult) -> Json:
        content = [block for part in result.content for block in self.of(part) if block is not CACHE_POINT]
        # An empty text is refused; an empty object is what says nothing.
        told: Json = {"toolUseId": call_id(result.call_id), "content": content or [{"json": {}}]}
        return {"toolResult": told | ({"status": "error"} if result.is_error else {})}


def call_id(given: str) -> str:
    """An id that Bedrock takes; the same one for a call and its result."""
    if _ID.fullmatch(given):
        return given
    digest = hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{_STRANGE.sub('_', given)[:47]}_{digest}"


def tool_name(name: str) -> str:
    """Raises BadRequest: under another name the caller would not recognise a call."""
    if not _ID.fullmatch(name):
        raise BadRequest(
            f"tools: this model cannot use a tool named {name[:80]!r} (up to 64 letters, digits, _ and -)",
            data={"param": "tools"},
        )
    return name


def _call(call: ToolCall) -> Json:
    told = {"toolUseId": call_id(call.id), "name": tool_name(call.name), "input": _input(call)}
    return {"toolUse": told}


def _input(call: ToolCall) -> Any:
    """A call's arguments, digit for digit. They have to be an object: what is none, because it is free text
    or was cut off, becomes the only member of one.
    """
    if not call.arguments.strip():
        return {}
    try:
        if not call.custom:
            _arguments(call.arguments)
            return Raw(call.arguments.encode())
    except (ValueError, RecursionError):
        pass
    return {"input": call.arguments}
