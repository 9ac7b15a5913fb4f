"""A client's Messages request as the neutral one."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from llm_gateway.ask import Ask
from llm_gateway.chat.parts import AnyPart, Text, Thinking, ToolCall, ToolResult
from llm_gateway.chat.request import Chat, Message, Output, Role
from llm_gateway.formats.anthropic.blocks import Block, Misread, misread, parts_of
from llm_gateway.formats.anthropic.signatures import ORIGIN, opened_call
from llm_gateway.formats.anthropic.thinking import read_reasoning
from llm_gateway.formats.anthropic.tools import read_choice, read_tools
from shared.errors import BadRequest

Content = str | list[Block]
Tokens = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Effortful = Literal["low", "medium", "high", "xhigh", "max"]
# Anthropic's words for who may be served first, and what the neutral form calls them.
_TIERS = {"standard_only": "default"}
_NEUTRAL_THINKING = frozenset(("enabled", "adaptive", "disabled"))


class _Message(Struct, frozen=True):
    role: Role
    content: Content


class _Thinking(Struct, frozen=True):
    type: str
    budget_tokens: Tokens | None = None
    display: str | None = None


class _Schema(Struct, frozen=True):
    type: Literal["json_schema"]
    schema: dict[str, Any]


class _OutputConfig(Struct, frozen=True):
    effort: Effortful | None = None
    format: _Schema | None = None


class _Request(Struct, frozen=True):
    model: str
    messages: list[_Message]
    max_tokens: Tokens | None = None
    system: Content | None = None
    stream: bool | None = None
    thinking: _Thinking | None = None
    output_config: _OutputConfig | None = None
    tools: list[Block] | None = None
    tool_choice: Block | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None


_OUTPUT = frozenset(_OutputConfig.__struct_fields__)
_decode = msgspec.json.Decoder(_Request).decode


def read_chat(ask: Ask) -> Chat:
    """Raises BadRequest."""
    try:
        return _chat(ask, _decode(ask.body))
    except Misread as error:
        raise _bad(error) from error
    except msgspec.ValidationError as error:
        raise _bad(misread(error)) from error
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is nested too deep, or is no JSON", cause=error) from error


def _chat(ask: Ask, request: _Request) -> Chat:
    output = request.output_config or _OutputConfig()
    metadata = request.metadata or {}
    user = metadata.get("user_id")
    return Chat(
        origin=ORIGIN,
        model=request.model,
        messages=(*_system(request.system), *_messages(request.messages)),
        stream=request.stream or False,
        tools=read_tools(request.tools or []),
        tool_choice=read_choice(request.tool_choice),
        output=Output(kind="schema", schema=output.format.schema) if output.format else Output(),
        reasoning=read_reasoning(_thinking(request.thinking), output.effort),
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        stop=tuple(request.stop_sequences or ()),
        user=user if isinstance(user, str) else "",
        metadata={name: str(value) for name, value in metadata.items() if name != "user_id"},
        service_tier=_TIERS.get(request.service_tier or "", request.service_tier or ""),
        extra=_extra(ask, request),
    )


def _system(content: Content | None) -> list[Message]:
    parts = _read(content or [], "system")
    return [Message(role="system", parts=parts)] if parts else []


def _messages(messages: list[_Message]) -> list[Message]:
    """With the names of tools beside their results, which Anthropic leaves to be found from the calls."""
    names: dict[str, str] = {}
    found: list[Message] = []
    for place, message in enumerate(messages):
        parts = _signed(_read(message.content, f"messages.{place}.content"))
        names |= {part.id: part.name for part in parts if isinstance(part, ToolCall)}
        if message.role == "user" and names:
            parts = tuple(_named(part, names) for part in parts)
        found.append(Message(role=message.role, parts=parts))
    return found


def _read(content: Content, path: str) -> tuple[AnyPart, ...]:
    return (Text(text=content),) if isinstance(content, str) else tuple(parts_of(content, path))


def _named(part: AnyPart, names: dict[str, str]) -> AnyPart:
    if isinstance(part, ToolResult) and part.call_id in names:
        return msgspec.structs.replace(part, name=names[part.call_id])
    return part


def _signed(parts: tuple[AnyPart, ...]) -> tuple[AnyPart, ...]:
    """The parts with other providers' signatures at the calls that they belong to."""
    signatures = {
        part: opened_call(part.signature) for part in parts if isinstance(part, Thinking) and part.redacted
    }
    seals = {part: seal for part, seal in signatures.items() if seal is not None}
    if not seals:
        return parts
    calls = {call: (origin, signature) for origin, call, signature in seals.values()}
    kept = [part for part in parts if not (isinstance(part, Thinking) and part in seals)]
    return tuple(
        msgspec.structs.replace(part, origin=calls[part.id][0], signature=calls[part.id][1])
        if isinstance(part, ToolCall) and part.id in calls
        else part
        for part in kept
    )


def _thinking(thinking: _Thinking | None) -> dict[str, Any] | None:
    if thinking is None:
        return None
    if thinking.type == "enabled" and thinking.budget_tokens is None:
        raise Misread("thinking.budget_tokens", "must say how many tokens, where thinking is enabled")
    return msgspec.structs.asdict(thinking)


def _extra(ask: Ask, request: _Request) -> dict[str, Any]:
    """The members that the neutral form has no place for, thinking of an unknown kind among them."""
    known = set(_Request.__struct_fields__)
    if request.thinking is not None and request.thinking.type not in _NEUTRAL_THINKING:
        known.discard("thinking")
    spans = {name: span for name, span in ask.spans.items() if name not in known}
    found = {name: msgspec.json.decode(ask.body[start:end]) for name, (start, end) in spans.items()}
    if request.output_config is not None:
        start, end = ask.spans["output_config"]
        config: dict[str, Any] = msgspec.json.decode(ask.body[start:end])
        found["output_config"] = {name: config[name] for name in config if name not in _OUTPUT} or None
    return {name: value for name, value in found.items() if value is not None}


def _bad(error: Misread) -> BadRequest:
    return BadRequest(str(error), cause=error, data={"param": error.path})
