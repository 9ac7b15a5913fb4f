"""The messages of a caller, from OpenAI's words for them into the neutral form."""

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

from llm_gateway.chat.parts import AnyPart, File, Image, Refusal, Text, ToolCall, ToolResult
from llm_gateway.chat.request import Message
from llm_gateway.fields import refused
from llm_gateway.formats.openai_chat.content import parts_of
from llm_gateway.formats.openai_chat.thought import Block, thoughts
from llm_gateway.formats.openai_chat.tools import Called, CalledFunction, call_of

Json = dict[str, Any]


class Spoken(Struct, frozen=True):
    """One message as it is sent."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Json] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[Called] | None = None
    tool_call_id: str | None = None
    function_call: CalledFunction | None = None
    reasoning_content: str | None = None
    thinking_blocks: list[Block] | None = None


def messages_of(spoken: Iterable[Spoken]) -> tuple[Message, ...]:
    """Raises BadRequest naming the member that cannot be understood."""
    known = _Calls()
    return tuple(_message(each, f"messages[{place}]", known) for place, each in enumerate(spoken))


class _Calls:
    """The calls up to now: a result names its call and not the tool, or, in the older form, the tool only."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self._unnamed: dict[str, str] = {}

    def id_for(self, name: str) -> str:
        """An id for a call or a result that has none: that of the last call of this function."""
        return self._unnamed.get(name, f"call_{name}")

    def called(self, function: CalledFunction) -> ToolCall:
        made = f"call_{function.name}_{len(self.names)}"
        self._unnamed[function.name] = made
        self.names[made] = function.name
        return ToolCall(id=made, name=function.name, arguments=function.arguments)


def _message(spoken: Spoken, path: str, known: _Calls) -> Message:
    name = spoken.name or ""
    if spoken.role == "assistant":
        return Message(role="assistant", parts=tuple(_said(spoken, path, known)), name=name)
    if spoken.role == "tool":
        if not spoken.tool_call_id:
            raise refused(f"{path}.tool_call_id", "a tool's result must say which call it answers")
        return Message(role="user", parts=(_result(spoken, spoken.tool_call_id, path, known),))
    if spoken.role == "function":
        if not name:
            raise refused(f"{path}.name", "a function's result must say which function it is of")
        return Message(role="user", parts=(_result(spoken, known.id_for(name), path, known),))
    role: Literal["system", "user"] = "user" if spoken.role == "user" else "system"
    return Message(role=role, parts=tuple(parts_of(spoken.content, f"{path}.content")), name=name)


def _said(spoken: Spoken, path: str, known: _Calls) -> list[AnyPart]:
    """What a model has said, in the order in which it says things."""
    parts: list[AnyPart] = [*thoughts(spoken.thinking_blocks, spoken.reasoning_content)]
    # An empty string is how some clients write that there is only a tool call.
    parts += parts_of(spoken.content, f"{path}.content") if spoken.content else []
    if spoken.refusal:
        parts.append(Refusal(text=spoken.refusal))
    for place, item in enumerate(spoken.tool_calls or ()):
        known.names[item.id] = (call := call_of(item, f"{path}.tool_calls[{place}]")).name
        parts.append(call)
    if spoken.function_call is not None:
        parts.append(known.called(spoken.function_call))
    return parts


def _result(spoken: Spoken, call_id: str, path: str, known: _Calls) -> ToolResult:
    content = parts_of(spoken.content, f"{path}.content")
    kept = tuple(part for part in content if isinstance(part, Text | Image | File))
    if len(kept) < len(content):
        raise refused(f"{path}.content", "a tool's result is text")
    marked = any(part.cache_point for part in kept)
    return ToolResult(
        call_id=call_id,
        name=known.names.get(call_id, spoken.name or ""),
        content=kept,
        cache_point=marked,
    )
