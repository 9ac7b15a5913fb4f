"""One part of Gemini's contents as neutral parts: the same for what callers send and what providers say."""

from typing import Any

import msgspec
from msgspec import Struct

from llm_gateway.chat.parts import AnyPart, Audio, File, Foreign, Image, Text, Thinking, ToolCall, ToolResult
from llm_gateway.formats.gemini import signature
from llm_gateway.formats.gemini.signature import ORIGIN, Signature

Fields = dict[str, Any]
# These only say how to look at the part in which they stand.
_BESIDES = frozenset(("thought", "thoughtSignature", "partMetadata"))


class _Blob(Struct, frozen=True, rename="camel"):
    mime_type: str = ""
    data: str = ""
    display_name: str = ""


class _FileData(Struct, frozen=True, rename="camel"):
    file_uri: str
    mime_type: str = ""
    display_name: str = ""


class _Call(Struct, frozen=True, rename="camel"):
    name: str
    id: str = ""
    args: Fields = {}


class _Response(Struct, frozen=True, rename="camel"):
    name: str = ""
    id: str = ""
    response: Fields = {}
    parts: list[Fields] = []


class _Part(Struct, frozen=True, rename="camel"):
    text: str | None = None
    thought: bool = False
    thought_signature: str = ""
    inline_data: _Blob | None = None
    file_data: _FileData | None = None
    function_call: _Call | None = None
    function_response: _Response | None = None


def neutral(fields: Fields) -> tuple[AnyPart, ...]:
    """What `fields` (names in camelCase) says: one part, and one more where a text is signed. Raises
    ValueError, RecursionError.
    """
    part = msgspec.convert(fields, _Part, strict=False)
    signed = signature.read(part.thought_signature)
    if part.function_call is not None:
        return (_call(part.function_call, signed),)
    if part.function_response is not None:
        return (_result(part.function_response),)
    found: tuple[AnyPart, ...] = ()
    if part.text is not None:
        if part.thought:
            return (_thinking(part.text, signed),)
        found = (Text(text=part.text),) if part.text else ()
    elif part.inline_data is not None:
        found = (_inline(part.inline_data),)
    elif part.file_data is not None:
        found = (_file(part.file_data),)
    elif kind := next((name for name in fields if name not in _BESIDES), ""):
        return (Foreign(origin=ORIGIN, kind=kind, value=fields),)
    return (*found, _thinking("", signed, apart=True)) if signed.text else found


def _thinking(text: str, signed: Signature, *, apart: bool = False) -> Thinking:
    """`apart`: a signature that belongs to no thought that can be seen."""
    redacted = signed.redacted or (apart and signed.origin == ORIGIN)
    origin = signed.origin or ORIGIN
    return Thinking(text=text, signature=signed.text, origin=origin, redacted=redacted)


def _call(call: _Call, signed: Signature) -> ToolCall:
    arguments = msgspec.json.encode(call.args).decode()
    return ToolCall(
        id=call.id, name=call.name, arguments=arguments, signature=signed.text, origin=signed.origin
    )


def _result(given: _Response) -> ToolResult:
    failed = set(given.response) == {"error"}
    content = [_said(given.response["error"] if failed else given.response, failed=failed)]
    for fields in given.parts:
        part = msgspec.convert(fields, _Part, strict=False)
        shown = _inline(part.inline_data) if part.inline_data else None
        shown = _file(part.file_data) if part.file_data else shown
        if isinstance(shown, Image | File):
            content.append(shown)
    return ToolResult(call_id=given.id, name=given.name, content=tuple(content), is_error=failed)


def _said(value: Any, *, failed: bool) -> Text | Image | File:
    """What a tool says: text where it is just that, else its JSON."""
    if not failed and set(value) == {"output"} and isinstance(value["output"], str):
        value = value["output"]
    return Text(text=value if isinstance(value, str) else msgspec.json.encode(value).decode())


def _inline(blob: _Blob) -> Image | Audio | File:
    data = signature.padded(blob.data)
    if blob.mime_type.startswith("image/"):
        return Image(media_type=blob.mime_type, data=data)
    if blob.mime_type.startswith("audio/"):
        return Audio(media_type=blob.mime_type, data=data)
    return File(media_type=blob.mime_type, data=data, name=blob.display_name)


def _file(given: _FileData) -> Image | File:
    if given.mime_type.startswith("image/"):
        return Image(media_type=given.mime_type, url=given.file_uri)
    return File(media_type=given.mime_type, url=given.file_uri, name=given.display_name)
