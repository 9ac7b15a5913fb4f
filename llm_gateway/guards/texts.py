"""Where the texts are in a request and in a reply, and how changed ones get back to their places.

Everything a model reads as words is visited: messages, tool results and what tools are said to do, arguments
of calls, files of text, and the strings of whatever only one wire knows. Pictures and sounds are not.
"""

import base64
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from llm_gateway.chat.parts import AnyPart, File, Foreign, Refusal, Text, Thinking, ToolCall, ToolResult
from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat, HostedTool, Message, Tool
from llm_gateway.guards.section import Who
from llm_gateway.guards.verdict import Said

See = Callable[[Said], str]
Item = TypeVar("Item")
# What lies deeper in JSON is looked at as it is written.
_DEPTH = 32
# Shorter numbers are nobody's account.
_DIGITS = 6
_TEXTUAL = ("text/", "application/json", "application/xml", "application/yaml", "application/x-yaml")


def texts_of(whole: Chat | Reply) -> list[Said]:
    found: list[Said] = []

    def see(said: Said) -> str:
        found.append(said)
        return said.text

    _visited(whole, see)
    return found


def with_texts(whole: Item, changes: dict[int, str]) -> Item:
    """`whole` with the texts at these places of `texts_of` replaced."""
    place = -1

    def see(said: Said) -> str:
        nonlocal place
        place += 1
        return changes.get(place, said.text)

    changed: Item = _visited(whole, see)
    return changed


def _visited(whole: Any, see: See) -> Any:
    if isinstance(whole, Reply):
        parts = _parts(whole.parts, "assistant", 0, see)
        return whole if parts is whole.parts else replace(whole, parts=parts)
    assert isinstance(whole, Chat)
    messages = _each(whole.messages, lambda group, message: _message(message, group, see))
    tools = _each(whole.tools, lambda _, tool: _tool(tool, see))
    extra = _leaves(whole.extra, Said("", "user", len(messages)), see)
    if messages is whole.messages and tools is whole.tools and extra is whole.extra:
        return whole
    return replace(whole, messages=messages, tools=tools, extra=extra)


def _each(items: tuple[Item, ...], visit: Callable[[int, Item], Item]) -> tuple[Item, ...]:
    """The items as `visit` leaves them; the very same tuple where nothing has changed."""
    seen = tuple(visit(place, item) for place, item in enumerate(items))
    return items if all(new is old for new, old in zip(seen, items, strict=True)) else seen


def _message(message: Message, group: int, see: See) -> Message:
    parts = _parts(message.parts, message.role, group, see)
    return message if parts is message.parts else replace(message, parts=parts)


def _parts(parts: tuple[AnyPart, ...], who: Who, group: int, see: See) -> tuple[AnyPart, ...]:
    return _each(parts, lambda _, part: _part(part, who, group, see))


def _part(part: AnyPart, who: Who, group: int, see: See) -> AnyPart:
    if isinstance(part, Text | Refusal):
        text = see(Said(part.text, who, group))
        return part if text == part.text else replace(part, text=text)
    if isinstance(part, Thinking):
        text = see(Said(part.text, "thinking", group))
        # Whoever signed it signed other words.
        return part if text == part.text else replace(part, text=text, signature="")
    if isinstance(part, ToolCall):
        return _call(part, group, see)
    if isinstance(part, ToolResult):
        content = _each(part.content, lambda _, item: _content(item, group, see))
        return part if content is part.content else replace(part, content=content)
    if isinstance(part, File):
        return _file(part, who, group, see)
    if isinstance(part, Foreign):
        value = _leaves(part.value, Said("", who, group), see)
        return part if value is part.value else replace(part, value=value)
    return part


def _content(item: Any, group: int, see: See) -> Any:
    return _part(item, "tool", group, see)


def _call(part: ToolCall, group: int, see: See) -> ToolCall:
    if part.custom:
        text = see(Said(part.arguments, "call", group))
        return part if text == part.arguments else replace(part, arguments=text)
    try:
        value = msgspec.json.decode(part.arguments or "{}")
    except (ValueError, RecursionError):
        text = see(Said(part.arguments, "call", group, True))
        return part if text == part.arguments else replace(part, arguments=text)
    changed = _leaves(value, Said("", "call", group), see)
    return part if changed is value else replace(part, arguments=msgspec.json.encode(changed).decode())


def _file(part: File, who: Who, group: int, see: See) -> File:
    if not part.data or not part.media_type.startswith(_TEXTUAL):
        return part
    try:
        given = base64.b64decode(part.data).decode()
    except ValueError:
        return part
    text = see(Said(given, who, group))
    return part if text == given else replace(part, data=base64.b64encode(text.encode()).decode())


def _tool(tool: Tool | HostedTool, see: See) -> Tool | HostedTool:
    here = Said("", "definition", -1)
    if isinstance(tool, HostedTool):
        value = _leaves(tool.value, here, see)
        return tool if value is tool.value else replace(tool, value=value)
    description = see(replace(here, text=tool.description))
    schema = _leaves(tool.schema, here, see)
    if description == tool.description and schema is tool.schema:
        return tool
    return replace(tool, description=description, schema=schema)


def _leaves(value: Any, here: Said, see: See, depth: int = 0) -> Any:
    """`value` with its strings, its names and its long numbers as `see` leaves them; the same object where
    nothing has changed.
    """
    if isinstance(value, str):
        text = see(replace(here, text=value))
        return value if text == value else text
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, here, see)
    if depth >= _DEPTH and isinstance(value, dict | list):
        return _deep(value, here, see)
    if isinstance(value, dict):
        pairs = {
            _leaves(name, here, see, depth): _leaves(item, here, see, depth + 1)
            for name, item in value.items()
        }
        same = len(pairs) == len(value) and all(
            name in value and value[name] is pairs[name] for name in pairs
        )
        return value if same else pairs
    if isinstance(value, list):
        items = [_leaves(item, here, see, depth + 1) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def _number(value: int | float, here: Said, see: See) -> Any:
    written = str(value)
    if len(written) < _DIGITS:
        return value
    seen = see(replace(here, text=written))
    return value if seen == written else seen


def _deep(value: Any, here: Said, see: See) -> Any:
    written = msgspec.json.encode(value).decode()
    seen = see(replace(here, text=written))
    return value if seen == written else seen
