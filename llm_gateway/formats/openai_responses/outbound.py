"""A neutral request as a provider gets it that speaks Responses."""

from collections.abc import Iterable
from typing import Any

import msgspec

from llm_gateway.chat.parts import AnyPart, Foreign, Refusal, Text, Thinking, ToolCall, ToolResult
from llm_gateway.chat.request import Chat, HostedTool, Message, Tool, ToolChoice
from llm_gateway.formats import Outbound
from llm_gateway.formats.openai_chat.content import ORIGIN as CHAT
from llm_gateway.formats.openai_chat.outbound import effort, reasons
from llm_gateway.formats.openai_chat.tools import choice_said as chat_choice
from llm_gateway.formats.openai_chat.tools import function_said
from llm_gateway.formats.openai_responses.content import all_said
from llm_gateway.formats.openai_responses.signature import ORIGIN

Json = dict[str, Any]

# Chat completions have these under the same names and with the same meaning.
_SHARED_EXTRA = frozenset(("prompt_cache_key", "prompt_cache_retention", "safety_identifier", "verbosity"))
_UNSAYABLE = ("top_k", "seed", "presence_penalty", "frequency_penalty")
_ENCRYPTED = "reasoning.encrypted_content"


def outbound(chat: Chat, model: str) -> Outbound:
    dropped: list[str] = []
    instructions, messages = _instructions(chat.messages)
    body: Json = {"model": model} | _given(instructions=instructions)
    body["input"] = _items(messages, dropped)
    if chat.stream:
        body["stream"] = True
    body |= _tools(chat, dropped) | _settings(chat, dropped) | _extra(chat, model, dropped)
    _shape(body, chat)
    return Outbound(body=msgspec.json.encode(body), dropped=tuple(dict.fromkeys(dropped)))


def _instructions(messages: tuple[Message, ...]) -> tuple[str | None, tuple[Message, ...]]:
    """What the first message says if it is the system's and nothing but text."""
    if not messages or messages[0].role != "system":
        return None, messages
    texts = [part.text for part in messages[0].parts if isinstance(part, Text) and not part.cache_point]
    if len(texts) < len(messages[0].parts):
        return None, messages
    return "\n\n".join(texts), messages[1:]


def _items(messages: Iterable[Message], dropped: list[str]) -> list[Json]:
    found: list[Json] = []
    custom: set[str] = set()
    for message in messages:
        if message.name:
            dropped.append("name")
        if message.role == "assistant":
            custom |= {part.id for part in message.parts if isinstance(part, ToolCall) and part.custom}
            found += _assistant(message.parts, dropped)
        else:
            found += _others(message, custom, dropped)
    return found


def _others(message: Message, custom: set[str], dropped: list[str]) -> list[Json]:
    found: list[Json] = []
    rest: list[AnyPart] = []
    for part in message.parts:
        if isinstance(part, ToolResult):
            found.append(_result(part, part.call_id in custom, dropped))
        elif (
            isinstance(part, Foreign)
            and part.origin == ORIGIN
            and part.kind.endswith(("_output", "_response"))
        ):
            found.append(part.value)
        else:
            rest.append(part)
    if rest or not found:
        found.append({"role": message.role, "content": all_said(rest, dropped)})
    return found


def _result(part: ToolResult, custom: bool, dropped: list[str]) -> Json:
    kind = "custom_tool_call_output" if custom else "function_call_output"
    content: tuple[AnyPart, ...] = part.content
    if part.is_error:
        # There is no flag for it: the model is told in words.
        content = (Text(text="Error:"), *content) if len(content) != 1 else _as_error(content[0])
    return {"type": kind, "call_id": part.call_id, "output": all_said(content, dropped)}


def _as_error(part: AnyPart) -> tuple[AnyPart, ...]:
    if not isinstance(part, Text):
        return (Text(text="Error:"), part)
    told = part.text.lower().startswith("error")
    return (part if told else msgspec.structs.replace(part, text=f"Error: {part.text}"),)


def _assistant(parts: Iterable[AnyPart], dropped: list[str]) -> list[Json]:
    found: list[Json] = []
    said: list[Json] | None = None
    for part in parts:
        if isinstance(part, Text | Refusal):
            if said is None:
                found.append({"type": "message", "role": "assistant", "content": (said := [])})
            kind = ("output_text", "text") if isinstance(part, Text) else ("refusal", "refusal")
            said.append({"type": kind[0], kind[1]: part.text})
        elif (item := _item(part, dropped)) is not None:
            said = None
            found.append(item)
    return found


def _item(part: AnyPart, dropped: list[str]) -> Json | None:
    if isinstance(part, ToolCall):
        return _call(part, dropped)
    if isinstance(part, Thinking):
        if part.origin == ORIGIN and part.signature:
            summary = [{"type": "summary_text", "text": part.text}] if part.text else []
            return {"type": "reasoning", "summary": summary, "encrypted_content": part.signature}
        dropped.append("thinking")
        return None
    if isinstance(part, Foreign) and part.origin == ORIGIN:
        return part.value
    dropped.append(part.kind if isinstance(part, Foreign) else type(part).__name__.lower())
    return None


def _call(part: ToolCall, dropped: list[str]) -> Json:
    if part.signature:
        dropped.append("tool_call.signature")
    kind, content = ("custom_tool_call", "input") if part.custom else ("function_call", "arguments")
    return {"type": kind, "call_id": part.id, "name": part.name, content: part.arguments}


def _tools(chat: Chat, dropped: list[str]) -> Json:
    found = [tool for each in chat.tools if (tool := _tool(each, chat.origin, dropped)) is not None]
    if not found:
        return {}
    body: Json = {"tools": found}
    choice = chat.tool_choice
    if choice is not None and (choice.mode != "auto" or choice.parallel is None):
        body["tool_choice"] = _choice(choice, chat.tools)
    return body | _given(parallel_tool_calls=choice.parallel if choice is not None else None)


def _tool(tool: Tool | HostedTool, origin: str, dropped: list[str]) -> Json | None:
    if isinstance(tool, Tool):
        if tool.cache_point:
            dropped.append("cache_point")
        # Where nothing is said, Responses take it that a schema is meant strictly; nobody else does.
        strict: Json = {"strict": False} if tool.strict is None and origin != ORIGIN else {}
        schema: Json = {"parameters": {"type": "object", "properties": {}}}
        return {"type": "function"} | schema | strict | function_said(tool)
    if tool.origin == ORIGIN:
        return tool.value
    if tool.origin == CHAT and tool.kind == "custom":
        return {"type": "custom"} | _flat(tool.value.get("custom"))
    dropped.append(f"tools.{tool.kind}")
    return None


def _flat(custom: object) -> Json:
    """A custom tool of chat completions as Responses write it: its grammar one level up."""
    found: Json = dict(custom) if isinstance(custom, dict) else {}
    form = found.get("format")
    if isinstance(form, dict) and isinstance(form.get("grammar"), dict):
        found["format"] = {"type": "grammar"} | form["grammar"]
    return found


def _choice(choice: ToolChoice, tools: tuple[Tool | HostedTool, ...]) -> str | Json:
    said = chat_choice(choice, tools)
    if isinstance(said, str):
        return said
    kind: str = said["type"]
    inner: Json = said.get(kind, {})
    return {"type": kind} | inner


def _settings(chat: Chat, dropped: list[str]) -> Json:
    dropped += [name for name in _UNSAYABLE if getattr(chat, name) is not None]
    if chat.stop:
        dropped.append("stop")
    if chat.n > 1:
        dropped.append("n")
    if chat.logprobs is not None:
        # They could be asked for, but there is no place for them on the way back.
        dropped.append("logprobs")
    return _given(
        max_output_tokens=chat.max_tokens,
        temperature=chat.temperature,
        top_p=chat.top_p,
        user=chat.user or None,
        metadata=chat.metadata or None,
        service_tier=chat.service_tier or None,
    )


def _extra(chat: Chat, model: str, dropped: list[str]) -> Json:
    if chat.origin == ORIGIN:
        return dict(chat.extra)
    shared = _SHARED_EXTRA if chat.origin == CHAT else frozenset()
    dropped += [f"extra.{name}" for name in chat.extra if name not in shared]
    found = {name: value for name, value in chat.extra.items() if name in shared}
    # Nobody will come back for it under its id: what has to last goes out and comes back with the messages.
    found["store"] = False
    if reasons(model):
        found["include"] = [_ENCRYPTED]
    return found


def _shape(body: Json, chat: Chat) -> None:
    """How it is to answer and to think: members that are filled from more than one place."""
    text: Json = _given(verbosity=body.pop("verbosity", None))
    output = chat.output
    if output.kind == "json":
        text["format"] = {"type": "json_object"}
    elif output.kind == "schema":
        schema = {"name": output.name or "answer", "schema": output.schema}
        text["format"] = {"type": "json_schema"} | schema | _given(strict=output.strict)
    if text:
        body["text"] = text
    thinking: Json = _given(effort=effort(chat.reasoning))
    if chat.reasoning is not None and chat.reasoning.show:
        thinking["summary"] = "auto"
    if thinking:
        body["reasoning"] = body.get("reasoning", {}) | thinking


def _given(**members: Any) -> Json:
    return {name: value for name, value in members.items() if value is not None}
