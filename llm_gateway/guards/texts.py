"""Where the texts are in a request and in a reply of a chat.

Everything a model reads as words is visited: messages, tool results and what tools are said to do, arguments
of calls, files of text, and the strings of whatever only one wire knows. Pictures and sounds are not.
"""

from typing import Any

import msgspec
from msgspec.structs import replace

from llm_gateway.chat.parts import AnyPart, File, Foreign, Refusal, Text, Thinking, ToolCall, ToolResult
from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat, HostedTool, Message, Tool
from shared.guards.section import Who
from shared.guards.texts import See, each, file_text, leaves
from shared.guards.verdict import Said


def walk_reply(whole: Reply, see: See) -> Reply:
    """The reply with every text as `see` leaves it; the same object where nothing has changed."""
    parts = _parts(whole.parts, "assistant", 0, see)
    return whole if parts is whole.parts else replace(whole, parts=parts)


def walk_chat(whole: Chat, see: See) -> Chat:
    """The same for a request."""
    messages = each(whole.messages, lambda group, message: _message(message, group, see))
    tools = each(whole.tools, lambda _, tool: _tool(tool, see))
    extra = leaves(whole.extra, Said("", "user", len(messages)), see)
    if messages is whole.messages and tools is whole.tools and extra is whole.extra:
        return whole
    return replace(whole, messages=messages, tools=tools, extra=extra)


def _message(message: Message, group: int, see: See) -> Message:
    parts = _parts(message.parts, message.role, group, see)
    return message if parts is message.parts else replace(message, parts=parts)


def _parts(parts: tuple[AnyPart, ...], who: Who, group: int, see: See) -> tuple[AnyPart, ...]:
    return each(parts, lambda _, part: _part(part, who, group, see))


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
        content = each(part.content, lambda _, item: _content(item, group, see))
        return part if content is part.content else replace(part, content=content)
    if isinstance(part, File):
        return _file(part, Said("", who, group), see)
    if isinstance(part, Foreign):
        value = leaves(part.value, Said("", who, group), see)
        return part if value is part.value else replace(part, value=value)
    return part


def _file(part: File, here: Said, see: See) -> File:
    data = file_text(part.data, part.media_type, here, see)
    # Models are told how a file is called.
    name = see(replace(here, text=part.name)) if part.name else ""
    return part if (data, name) == (part.data, part.name) else replace(part, data=data, name=name)


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
    changed = leaves(value, Said("", "call", group), see)
    return part if changed is value else replace(part, arguments=msgspec.json.encode(changed).decode())


def _tool(tool: Tool | HostedTool, see: See) -> Tool | HostedTool:
    here = Said("", "definition", -1)
    if isinstance(tool, HostedTool):
        value = leaves(tool.value, here, see)
        return tool if value is tool.value else replace(tool, value=value)
    description = see(replace(here, text=tool.description))
    schema = leaves(tool.schema, here, see)
    if description == tool.description and schema is tool.schema:
        return tool
    return replace(tool, description=description, schema=schema)
