"""Tools, the choice among them and their calls, from OpenAI's words for them and back."""

from typing import Any, Literal

from msgspec import Struct

from llm_gateway.chat.parts import ToolCall
from llm_gateway.chat.request import HostedTool, Tool, ToolChoice
from llm_gateway.fields import refused, shaped
from llm_gateway.formats.openai_chat.content import ORIGIN
from llm_gateway.formats.openai_chat.thought import signature, signed

Json = dict[str, Any]
AnyTool = Tool | HostedTool
RESPONSES = "openai_responses"
Mode = Literal["auto", "none", "any", "named"]
_MODES: dict[str, Mode] = {"none": "none", "auto": "auto", "required": "any"}
_SAID = {"none": "none", "auto": "auto", "any": "required"}


class Function(Struct, frozen=True):
    name: str
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None


class _FunctionTool(Struct, frozen=True):
    function: Function


class _Named(Struct, frozen=True):
    name: str


class _Choice(Struct, frozen=True):
    type: str | None = None
    name: str | None = None
    function: _Named | None = None
    custom: _Named | None = None


class _Allowed(Struct, frozen=True):
    mode: str = "auto"
    tools: list[_Choice] = []


class _AllowedTools(Struct, frozen=True):
    allowed_tools: _Allowed


class CalledFunction(Struct, frozen=True):
    name: str
    arguments: str = ""


class _CalledCustom(Struct, frozen=True):
    name: str
    input: str = ""


class Called(Struct, frozen=True):
    id: str
    function: CalledFunction | None = None
    custom: _CalledCustom | None = None
    extra_content: Json | None = None


def tools_of(items: list[Json]) -> tuple[AnyTool, ...]:
    """Raises BadRequest."""
    return tuple(_tool(item, f"tools[{place}]") for place, item in enumerate(items))


def functions_of(items: list[Function]) -> tuple[AnyTool, ...]:
    return tuple(function_tool(item) for item in items)


def function_tool(item: Function, *, cache_point: bool = False) -> Tool:
    return Tool(
        name=item.name,
        description=item.description or "",
        schema=item.parameters or {},
        strict=item.strict,
        cache_point=cache_point,
    )


def choice_of(
    given: str | Json | None, tools: tuple[AnyTool, ...], parallel: bool | None
) -> tuple[ToolChoice | None, tuple[AnyTool, ...]]:
    """What the caller chose, and the tools that are left to choose from. Raises BadRequest."""
    if given is None:
        return (ToolChoice(parallel=parallel) if parallel is not None else None), tools
    if isinstance(given, str):
        return ToolChoice(mode=_mode(given), parallel=parallel), tools
    if given.get("type") == "allowed_tools":
        return _allowed(given, tools, parallel)
    name = _chosen(shaped(given, _Choice, "tool_choice"))
    if name is None:
        raise refused("tool_choice", "is none, auto, required, or the name of a function")
    return ToolChoice(mode="named", name=name, parallel=parallel), tools


def choice_said(choice: ToolChoice, tools: tuple[AnyTool, ...]) -> str | Json:
    if choice.mode != "named":
        return _SAID[choice.mode]
    hosted = next(
        (tool for tool in tools if isinstance(tool, HostedTool) and _name(tool) == choice.name), None
    )
    if hosted is not None and hosted.kind != "custom":
        return {"type": hosted.kind}
    kind = "custom" if hosted is not None else "function"
    return {"type": kind, kind: {"name": choice.name}}


def said(tools: tuple[AnyTool, ...], dropped: list[str]) -> list[Json]:
    """The tools in OpenAI's words; what only another wire knows is named in `dropped`."""
    found: list[Json] = []
    for tool in tools:
        if isinstance(tool, Tool):
            if tool.cache_point:
                dropped.append("cache_point")
            found.append({"type": "function", "function": function_said(tool)})
        elif tool.origin == ORIGIN:
            found.append(tool.value)
        elif tool.origin == RESPONSES and tool.kind == "custom":
            found.append({"type": "custom", "custom": _nested(tool.value)})
        else:
            dropped.append(f"tools.{tool.kind}")
    return found


def function_said(tool: Tool) -> Json:
    found: Json = {"name": tool.name}
    if tool.description:
        found["description"] = tool.description
    if tool.schema:
        found["parameters"] = tool.schema
    if tool.strict is not None:
        found["strict"] = tool.strict
    return found


def custom_name(tool: HostedTool) -> str | None:
    """The name of a tool whose calls are free text, in either of OpenAI's formats."""
    inner = tool.value.get("custom", tool.value) if tool.kind == "custom" else {}
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else None


def call_of(item: Called, path: str) -> ToolCall:
    """Raises BadRequest."""
    mark, origin = signature(item.extra_content)
    if item.custom is not None:
        return ToolCall(
            id=item.id,
            name=item.custom.name,
            arguments=item.custom.input,
            signature=mark,
            origin=origin,
            custom=True,
        )
    if item.function is None:
        raise refused(path, "a tool call must say which function it calls")
    return ToolCall(
        id=item.id,
        name=item.function.name,
        arguments=item.function.arguments,
        signature=mark,
        origin=origin,
    )


def call_said(call: ToolCall) -> Json:
    if call.custom:
        kind, body = "custom", {"name": call.name, "input": call.arguments}
    else:
        kind, body = "function", {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": kind, kind: body} | signed(call)


def _tool(item: Json, path: str) -> AnyTool:
    kind = item.get("type", "function")
    if not isinstance(kind, str):
        raise refused(f"{path}.type", "must be a string")
    if kind != "function":
        return HostedTool(origin=ORIGIN, kind=kind, value=item)
    function = shaped(item, _FunctionTool, path).function
    return function_tool(function, cache_point=bool(item.get("cache_control")))


def _mode(given: str) -> Mode:
    mode = _MODES.get(given)
    if mode is None:
        raise refused("tool_choice", f"must be one of {', '.join(_MODES)}, not {given[:64]!r}")
    return mode


def _allowed(
    given: Json, tools: tuple[AnyTool, ...], parallel: bool | None
) -> tuple[ToolChoice, tuple[AnyTool, ...]]:
    # The Responses form has no inner object.
    allowed = shaped(
        given if "allowed_tools" in given else {"allowed_tools": given}, _AllowedTools, "tool_choice"
    )
    names = {_chosen(tool) for tool in allowed.allowed_tools.tools}
    left = tuple(tool for tool in tools if _name(tool) in names)
    if not left:
        raise refused("tool_choice", "allows none of the tools there are")
    return ToolChoice(mode=_mode(allowed.allowed_tools.mode), parallel=parallel), left


def _chosen(choice: _Choice) -> str | None:
    """The name in either of OpenAI's forms; of a tool that has none, its type."""
    inner = choice.function or choice.custom
    if inner is not None:
        return inner.name
    return choice.name or (choice.type if choice.type not in ("function", "custom") else None)


def _name(tool: AnyTool) -> str:
    return tool.name if isinstance(tool, Tool) else custom_name(tool) or tool.kind


def _nested(value: Json) -> Json:
    """A custom tool of Responses as chat completions write it: its grammar one level deeper."""
    found: Json = {name: value[name] for name in ("name", "description", "format") if name in value}
    form = found.get("format")
    if isinstance(form, dict) and form.get("type") == "grammar":
        inner = {name: form[name] for name in ("definition", "syntax") if name in form}
        found["format"] = {"type": "grammar", "grammar": inner}
    return found
