"""Neutral parts in Gemini's words: the same for what we ask a provider and for what we answer a caller."""

from typing import Any

import msgspec

from llm_gateway.chat.parts import AnyPart, Audio, File, Foreign, Image, Refusal, Text, Thinking, ToolCall
from llm_gateway.formats.gemini import signature
from llm_gateway.formats.gemini.signature import ORIGIN

Fields = dict[str, Any]


def part(given: AnyPart) -> Fields | None:
    """None for what Gemini has no word for. Raises ValueError where the arguments of a call are no object."""
    if isinstance(given, Text | Refusal):
        return {"text": given.text}
    if isinstance(given, Thinking):
        return thinking(given)
    if isinstance(given, ToolCall):
        return call(given)
    if isinstance(given, Audio):
        return _inline(given.media_type, given.data)
    if isinstance(given, Image | File):
        return attached(given)
    return given.value if isinstance(given, Foreign) and given.origin == ORIGIN else None


def thinking(given: Thinking) -> Fields:
    signed = signature.write(given.signature, given.origin, redacted=given.redacted)
    if given.redacted and given.origin == ORIGIN:
        return {"text": "", "thoughtSignature": signed}
    fields: Fields = {"text": given.text, "thought": True}
    return fields | {"thoughtSignature": signed} if signed else fields


def call(given: ToolCall) -> Fields:
    fields: Fields = {"functionCall": {"id": given.id, "name": given.name, "args": arguments(given)}}
    signed = signature.write(given.signature, given.origin)
    return fields | {"thoughtSignature": signed} if signed else fields


def arguments(given: ToolCall) -> Fields:
    """Raises ValueError where they are no JSON object."""
    if given.custom:
        return {"input": given.arguments}
    if not given.arguments.strip():
        return {}
    found: Fields = msgspec.json.decode(given.arguments, type=dict[str, Any])
    return found


def attached(given: Image | File) -> Fields | None:
    if given.data:
        return _inline(given.media_type, given.data, given.name if isinstance(given, File) else "")
    if given.url:
        mime = {"mimeType": given.media_type} if given.media_type else {}
        return {"fileData": {**mime, "fileUri": given.url}}
    return None


def _inline(media_type: str, data: str, name: str = "") -> Fields:
    blob = {"mimeType": media_type or "application/octet-stream", "data": data}
    return {"inlineData": blob | {"displayName": name} if name else blob}
