"""Anthropic's tools and the choice among them, as neutral ones and back.

What a tool has no member for follows it as a HostedTool named `tool.<member>`, as with blocks.
"""

from typing import Any

from msgspec import Struct

from llm_gateway.chat.request import HostedTool, Tool, ToolChoice
from llm_gateway.formats.anthropic.blocks import Block, Misread, typed
from llm_gateway.formats.anthropic.signatures import ORIGIN

_SHARED = frozenset(("type", "cache_control"))
_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
_CACHED = {"type": "ephemeral"}


class _Tool(Struct, frozen=True):
    name: str
    input_schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class _Choice(Struct, frozen=True):
    type: str
    name: str = ""
    disable_parallel_tool_use: bool | None = None


_MODES = {"auto": "auto", "any": "any", "none": "none", "tool": "named"}


def read_tools(tools: list[Block]) -> tuple[Tool | HostedTool, ...]:
    """Raises Misread."""
    found: list[Tool | HostedTool] = []
    for place, tool in enumerate(tools):
        kind = tool.get("type") or "custom"
        if kind != "custom":
            found.append(HostedTool(origin=ORIGIN, kind=str(kind), value=tool))
            continue
        known = typed(tool, _Tool, f"tools.{place}")
        found.append(
            Tool(
                name=known.name,
                description=known.description or "",
                schema=known.input_schema,
                strict=known.strict,
                cache_point=tool.get("cache_control") is not None,
            )
        )
        beyond = {name: value for name, value in tool.items() if value is not None and name not in _KNOWN}
        found += [
            HostedTool(origin=ORIGIN, kind=f"tool.{name}", value={name: value})
            for name, value in beyond.items()
        ]
    return tuple(found)


def written_tools(tools: tuple[Tool | HostedTool, ...], dropped: list[str]) -> list[Block]:
    found: list[Block] = []
    for tool in tools:
        if isinstance(tool, Tool):
            found.append(_written(tool))
        elif tool.origin != ORIGIN:
            dropped.append(f"tools.{tool.kind}")
        elif "type" in tool.value:
            found.append(tool.value)
        elif found:
            found[-1] = {**found[-1], **tool.value}
    return found


def read_choice(choice: Block | None) -> ToolChoice | None:
    """Raises Misread."""
    if choice is None:
        return None
    known = typed(choice, _Choice, "tool_choice")
    parallel = None if known.disable_parallel_tool_use is None else not known.disable_parallel_tool_use
    match known.type:
        case "auto" | "any" | "none":
            return ToolChoice(mode=known.type, parallel=parallel)
        case "tool" if known.name:
            return ToolChoice(mode="named", name=known.name, parallel=parallel)
    raise Misread("tool_choice", "must be auto, any, none, or tool with a name")


def written_choice(choice: ToolChoice) -> Block:
    if choice.mode == "named":
        told: Block = {"type": "tool", "name": choice.name}
    else:
        told = {"type": choice.mode}
    if choice.parallel is not None and choice.mode != "none":
        told["disable_parallel_tool_use"] = not choice.parallel
    return told


def _written(tool: Tool) -> Block:
    told: Block = {"name": tool.name, "input_schema": _schema(tool.schema)}
    if tool.description:
        told["description"] = tool.description
    if tool.strict is not None:
        told["strict"] = tool.strict
    if tool.cache_point:
        told["cache_control"] = _CACHED
    return told


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    if not schema:
        return _NO_ARGUMENTS
    return schema if "type" in schema else {"type": "object", **schema}


_KNOWN = _SHARED.union(_Tool.__struct_fields__)
