"""Anthropic's content blocks as neutral parts, those of requests and those of replies.

What a part has no member for follows it as a Foreign of its own, named `<block>.<member>`, and is put back
when the part returns to this wire (`written.py`); a block that nobody else has is a Foreign as a whole.
"""

import base64
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from llm_gateway.chat.parts import AnyPart, File, Foreign, Image, Text, Thinking, ToolCall, ToolResult
from llm_gateway.formats.anthropic.signatures import ORIGIN, opened

Block = dict[str, Any]
Kind = TypeVar("Kind", bound=Struct)

_SHARED = frozenset(("type", "cache_control"))
_PLAIN_TTL = (None, "5m")
_EMPTY: tuple[object, ...] = (None, [], {})


class Misread(ValueError):
    """`path` is where in the request or reply the `problem` is."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class _Text(Struct, frozen=True):
    text: str


class _Image(Struct, frozen=True):
    source: Block


class _Document(Struct, frozen=True):
    source: Block
    title: str | None = None


class _ToolUse(Struct, frozen=True):
    id: str
    name: str
    input: dict[str, Any]


class _ToolResult(Struct, frozen=True):
    tool_use_id: str
    content: str | list[Block] | None = None
    is_error: bool | None = None


class _Thinking(Struct, frozen=True):
    thinking: str
    signature: str = ""


class _Redacted(Struct, frozen=True):
    data: str


class _Source(Struct, frozen=True):
    media_type: str = ""
    data: str = ""
    url: str = ""
    file_id: str = ""


_KINDS: dict[str, type[Struct]] = {
    "text": _Text,
    "image": _Image,
    "document": _Document,
    "tool_use": _ToolUse,
    "tool_result": _ToolResult,
    "thinking": _Thinking,
    "redacted_thinking": _Redacted,
}


def parts_of(blocks: list[Block], path: str) -> list[AnyPart]:
    """Raises Misread."""
    found: list[AnyPart] = []
    for place, block in enumerate(blocks):
        if len(block) == 2 and block.get("type") == "text" and isinstance(block.get("text"), str):
            found.append(Text(text=block["text"]))
        else:
            found += _parts(block, f"{path}.{place}")
    return found


def typed(value: object, kind: type[Kind], path: str) -> Kind:
    """`value` as a `kind`. Raises Misread."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise misread(error, path) from error


def misread(error: msgspec.ValidationError, path: str = "") -> Misread:
    """msgspec's words with the place written as Anthropic writes it: `messages.0.content`."""
    problem, _, place = str(error).partition(" - at `$")
    inside = place.rstrip("`").replace("[", ".").replace("]", "")
    return Misread(f"{path}{inside}".strip("."), problem[:1].lower() + problem[1:200])


def _parts(block: Block, path: str) -> list[AnyPart]:
    name = block.get("type")
    if not isinstance(name, str):
        raise Misread(f"{path}.type", "must be the name of a kind of block")
    kind, cached = _KINDS.get(name), block.get("cache_control") is not None
    if kind is _ToolResult:
        return [*_result(typed(block, _ToolResult, path), cached, path), *_beyond(block, name, kind)]
    part = _part(typed(block, kind, path), cached, path) if kind is not None else None
    if kind is None or part is None:
        return [Foreign(origin=ORIGIN, kind=name, value=block)]
    return [part, *_beyond(block, name, kind)]


def _part(block: Struct, cached: bool, path: str) -> AnyPart | None:
    """None where the block is of a known kind, but holds what no part can."""
    match block:
        case _Text(text):
            return Text(text=text, cache_point=cached)
        case _Image(source):
            return _image(source, cached, f"{path}.source")
        case _Document(source, title):
            return _document(source, title or "", cached, f"{path}.source")
        case _ToolUse(call, name, given):
            arguments = msgspec.json.encode(given).decode()
            return ToolCall(id=call, name=name, arguments=arguments, cache_point=cached)
        case _Thinking(text, signature):
            origin, signature = opened(signature)
            return Thinking(text=text, signature=signature, origin=origin)
        case _Redacted(data):
            return Thinking(signature=data, origin=ORIGIN, redacted=True)
    return None


def _image(source: Block, cached: bool, path: str) -> Image | File | None:
    at = typed(source, _Source, path)
    match source.get("type"):
        case "base64":
            return Image(media_type=at.media_type, data=at.data, cache_point=cached)
        case "url":
            return Image(url=at.url, cache_point=cached)
        case "file":
            return File(media_type="image/*", id=at.file_id, cache_point=cached)
    return None


def _document(source: Block, title: str, cached: bool, path: str) -> File | None:
    if source.get("type") == "content":
        return None
    at = typed(source, _Source, path)
    match source.get("type"):
        case "base64":
            return File(media_type=at.media_type, data=at.data, name=title, cache_point=cached)
        case "text":
            data = base64.b64encode(at.data.encode()).decode()
            return File(media_type="text/plain", data=data, name=title, cache_point=cached)
        case "url":
            return File(media_type="application/pdf", url=at.url, name=title, cache_point=cached)
        case "file":
            return File(id=at.file_id, name=title, cache_point=cached)
    return None


def _result(block: _ToolResult, cached: bool, path: str) -> list[AnyPart]:
    """With what only Anthropic knows in a result told in words, and beside it as it was."""
    given = block.content or []
    parts = [Text(text=given)] if isinstance(given, str) else parts_of(given, f"{path}.content")
    foreign = [part for part in parts if isinstance(part, Foreign) and "type" in part.value]
    told = [_told(part) if isinstance(part, Foreign) else part for part in parts]
    result = ToolResult(
        call_id=block.tool_use_id,
        content=tuple(part for part in told if isinstance(part, Text | Image | File)),
        is_error=block.is_error or False,
        cache_point=cached,
    )
    if not foreign:
        return [result]
    return [result, Foreign(origin=ORIGIN, kind="tool_result.content", value={"content": given})]


def _told(part: Foreign) -> Text | None:
    """A search's result as text."""
    if part.kind != "search_result":
        return None
    texts = [each.get("text") for each in part.value.get("content") or [] if isinstance(each, dict)]
    lines = [part.value.get("title"), part.value.get("source"), *texts]
    return Text(text="\n".join(line for line in lines if isinstance(line, str)))


def _beyond(block: Block, name: str, kind: type[Struct]) -> list[AnyPart]:
    """The members that the part has no place for."""
    known = _SHARED.union(kind.__struct_fields__)
    found = {member: value for member, value in block.items() if member not in known and value not in _EMPTY}
    if found.get("caller") == {"type": "direct"}:
        del found["caller"]
    control = block.get("cache_control")
    if isinstance(control, dict) and control.get("ttl") not in _PLAIN_TTL:
        found["cache_control"] = control
    return [
        Foreign(origin=ORIGIN, kind=f"{name}.{member}", value={member: value})
        for member, value in found.items()
    ]
