"""Tools and the choice among them, as Converse's `toolConfig`."""

from typing import Any

from llm_gateway.chat.request import Chat, HostedTool, Tool, ToolChoice
from llm_gateway.formats.bedrock.content import CACHE_POINT, ORIGIN, tool_name
from llm_gateway.formats.bedrock.turns import used_tools

Json = dict[str, Any]
_NO_ARGUMENTS: Json = {"type": "object", "properties": {}}


def tool_config(chat: Chat, dropped: list[str]) -> Json | None:
    """None where no tool may be called and none was: Converse has no word for that but silence."""
    tools = _tools(chat.tools, dropped)
    choice = chat.tool_choice or ToolChoice()
    used = used_tools(chat.messages)
    if choice.parallel is False and tools:
        dropped.append("tool_choice.parallel")
    if choice.mode == "none" or not tools:
        if not used:
            return None
        # A conversation with calls in it needs tools, even where no more calls are wanted.
        if choice.mode == "none" and tools:
            dropped.append("tool_choice")
        return {"tools": tools or [_spec(Tool(name=name)) for name in used]}
    chosen = _choice(choice)
    return {"tools": tools} | ({"toolChoice": chosen} if chosen else {})


def _tools(tools: tuple[Tool | HostedTool, ...], dropped: list[str]) -> list[Json]:
    told: list[Json] = []
    for tool in tools:
        if isinstance(tool, Tool):
            told.append(_spec(tool))
            told += [CACHE_POINT] if tool.cache_point else []
        elif tool.origin == ORIGIN:
            told.append(tool.value)
        else:
            dropped.append(f"tools.{tool.kind}")
    return told


def _spec(tool: Tool) -> Json:
    spec: Json = {"name": tool_name(tool.name), "inputSchema": {"json": _schema(tool.schema)}}
    if tool.description:
        spec["description"] = tool.description
    if tool.strict:
        spec["strict"] = True
    return {"toolSpec": spec}


def _schema(schema: Json) -> Json:
    return schema if "type" in schema else {**_NO_ARGUMENTS, **schema}


def _choice(choice: ToolChoice) -> Json | None:
    if choice.mode == "named":
        return {"tool": {"name": tool_name(choice.name)}}
    return {"any": {}} if choice.mode == "any" else None
