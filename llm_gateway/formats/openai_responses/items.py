"""The input items of a caller, into neutral messages: what a model said in one go is one message again."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from msgspec import Struct

from llm_gateway.chat.parts import AnyPart, File, Foreign, Image, Text, Thinking, ToolCall, ToolResult
from llm_gateway.chat.request import Message
from llm_gateway.fields import refused, shaped
from llm_gateway.formats.openai_chat.thought import signature
from llm_gateway.formats.openai_responses.content import parts_of
from llm_gateway.formats.openai_responses.references import REFERENCE, response_of
from llm_gateway.formats.openai_responses.signature import ORIGIN, opened

Json = dict[str, Any]
Side = Literal["system", "user", "assistant"]


class _Message(Struct, frozen=True):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Json]


class _Call(Struct, frozen=True):
    call_id: str
    name: str
    arguments: str = ""
    input: str = ""
    extra_content: Json | None = None


class _Output(Struct, frozen=True):
    call_id: str
    output: str | list[Json]


class _Summary(Struct, frozen=True):
    text: str = ""


class _Reasoning(Struct, frozen=True):
    summary: list[_Summary] = []
    content: list[_Summary] | None = None
    encrypted_content: str | None = None


def messages_of(given: str | Sequence[Json], instructions: str | None) -> tuple[Message, ...]:
    """Raises BadRequest naming the member that cannot be understood."""
    found = [Message(role="system", parts=(Text(text=instructions),))] if instructions else []
    if isinstance(given, str):
        return (*found, Message(role="user", parts=(Text(text=given),)))
    names: dict[str, str] = {}
    joins = False
    for place, item in enumerate(given):
        side, parts, joined = _read(item, f"input[{place}]", names)
        if joined and joins and found[-1].role == side:
            found[-1] = Message(role=side, parts=(*found[-1].parts, *parts))
        else:
            found.append(Message(role=side, parts=tuple(parts)))
        joins = joined
    return tuple(found)


def thinking(item: Json, path: str) -> Thinking:
    given = shaped(item, _Reasoning, path)
    text = "\n\n".join(piece.text for piece in (given.content or given.summary))
    mark, origin, redacted = opened(given.encrypted_content or "")
    # Without a text, whoever shows it has nothing but the signature.
    return Thinking(text=text, signature=mark, origin=origin, redacted=redacted or bool(mark and not text))


def call(item: Json, path: str) -> ToolCall:
    given = shaped(item, _Call, path)
    mark, origin = signature(given.extra_content)
    custom = item.get("type") == "custom_tool_call"
    return ToolCall(
        id=given.call_id,
        name=given.name,
        arguments=given.input if custom else given.arguments,
        signature=mark,
        origin=origin,
        custom=custom,
    )


def _read(item: Json, path: str, names: dict[str, str]) -> tuple[Side, Sequence[AnyPart], bool]:
    """Who says it, what, and whether it belongs to what the same side has said just before."""
    kind = item.get("type") or ("message" if "role" in item else REFERENCE)
    if kind == "message":
        return _message(item, path)
    read = _ITEMS.get(kind)
    if read is not None:
        part = read(item, path)
        if isinstance(part, ToolCall):
            names[part.id] = part.name
        return "assistant", [part], True
    if kind in ("function_call_output", "custom_tool_call_output"):
        return "user", [_result(item, path, names)], True
    if kind == REFERENCE and (not isinstance(item.get("id"), str) or response_of(item["id"])):
        raise refused(path, "items cannot be named by id here; send them")
    # Only OpenAI itself knows what it is; its name tells from whom.
    side: Side = "user" if str(kind).endswith(("_output", "_response")) else "assistant"
    return side, [Foreign(origin=ORIGIN, kind=str(kind), value=item)], True


def _message(item: Json, path: str) -> tuple[Side, Sequence[AnyPart], bool]:
    given = shaped(item, _Message, path)
    parts = parts_of(given.content, f"{path}.content")
    if given.role == "assistant":
        return "assistant", parts, True
    return ("user" if given.role == "user" else "system"), parts, False


def _result(item: Json, path: str, names: dict[str, str]) -> ToolResult:
    given = shaped(item, _Output, path)
    content = parts_of(given.output, f"{path}.output")
    kept = tuple(part for part in content if isinstance(part, Text | Image | File))
    if len(kept) < len(content):
        raise refused(f"{path}.output", "a tool's result is text, images and files")
    return ToolResult(call_id=given.call_id, name=names.get(given.call_id, ""), content=kept)


_ITEMS: dict[object, Callable[[Json, str], AnyPart]] = {
    "reasoning": thinking,
    "function_call": call,
    "custom_tool_call": call,
}
