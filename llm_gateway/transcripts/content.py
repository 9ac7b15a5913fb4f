"""What is kept of a call: who said what, in words. Pictures, sounds and documents are not kept, only that
they were there, and neither is what only one provider understands: nobody could redact it.
"""

from typing import Any

import msgspec

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
from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat, HostedTool, Tool

Json = dict[str, Any]


def content(chat: Chat, reply: Reply) -> Json:
    messages = [{"role": each.role, "parts": [_part(part) for part in each.parts]} for each in chat.messages]
    request: Json = {"messages": messages}
    if chat.tools:
        request["tools"] = [_tool(tool) for tool in chat.tools]
    said = {"parts": [_part(part) for part in reply.parts], "stop": reply.stop.value}
    return {"request": request, "reply": said}


def _part(part: AnyPart) -> Json:
    if isinstance(part, Text):
        return {"text": part.text}
    if isinstance(part, Refusal):
        return {"refusal": part.text}
    if isinstance(part, Thinking):
        return {"thinking": part.text}
    if isinstance(part, ToolCall):
        return {"call": part.name, "id": part.id, "arguments": _arguments(part)}
    if isinstance(part, ToolResult):
        result: Json = {"result": part.name, "id": part.call_id}
        return result | {"parts": [_part(item) for item in part.content], "is_error": part.is_error}
    return _unsaid(part)


def _unsaid(part: Image | Audio | File | Foreign) -> Json:
    if isinstance(part, Foreign):
        return {"not_kept": part.kind}
    return {"not_kept": type(part).__name__.lower(), "media_type": part.media_type}


def _tool(tool: Tool | HostedTool) -> Json:
    if isinstance(tool, HostedTool):
        return {"not_kept": tool.kind}
    return {"name": tool.name, "description": tool.description, "schema": tool.schema}


def _arguments(call: ToolCall) -> Any:
    """Taken apart, so that what stands escaped in them is seen for what it is."""
    if call.custom:
        return call.arguments
    try:
        return msgspec.json.decode(call.arguments or "{}")
    except (ValueError, RecursionError):
        return call.arguments
