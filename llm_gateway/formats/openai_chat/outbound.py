"""A neutral request as an OpenAI-compatible provider gets it."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

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
from llm_gateway.chat.request import Chat, Message, Output, Reasoning
from llm_gateway.formats import Outbound
from llm_gateway.formats.openai_chat import tools
from llm_gateway.formats.openai_chat.content import ORIGIN, all_said
from llm_gateway.formats.openai_chat.thought import shown

Json = dict[str, Any]
LimitName = Literal["max_tokens", "max_completion_tokens"]

# OpenAI's reasoning models refuse `max_tokens`; many other servers know nothing else, and some pass over the
# newer name without a word, which would leave answers without a limit.
_NEWER = re.compile(r"(?:^|[/:])(?:o[1-9]|gpt-[5-9])")
_FOLLOWS = "(it follows)"
# Responses has these under the same names and with the same meaning.
_SHARED_EXTRA = frozenset(
    ("store", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "verbosity")
)
# The effort that comes nearest to a budget of so many tokens.
_BUDGETS = ((2_048, "low"), (8_192, "medium"))


def outbound(chat: Chat, model: str, limit: LimitName | None) -> Outbound:
    """`limit` is the provider's name for the longest answer, None to go by the model's name."""
    dropped: list[str] = []
    body: Json = {"model": model, "messages": _messages(chat.messages, dropped)}
    if chat.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    body |= _tools(chat, dropped)
    if chat.max_tokens is not None:
        body[limit or ("max_completion_tokens" if reasons(model) else "max_tokens")] = chat.max_tokens
    if (form := output_said(chat.output)) is not None:
        body["response_format"] = form
    if (level := effort(chat.reasoning)) is not None:
        body["reasoning_effort"] = level
    body |= _sampling(chat, dropped) | _extra(chat, dropped)
    return Outbound(body=msgspec.json.encode(body), dropped=tuple(dict.fromkeys(dropped)))


def reasons(model: str) -> bool:
    """Whether this is one of OpenAI's reasoning models, as far as its name tells."""
    return _NEWER.search(model.lower()) is not None


def effort(reasoning: Reasoning | None) -> str | None:
    """What is given, or what comes nearest to the budget that is."""
    if reasoning is None or reasoning.effort is not None or reasoning.budget is None:
        return reasoning.effort if reasoning is not None else None
    return next((level for most, level in _BUDGETS if reasoning.budget <= most), "high")


def output_said(output: Output) -> Json | None:
    if output.kind == "text":
        return None
    if output.kind == "json":
        return {"type": "json_object"}
    schema: Json = {"name": output.name or "answer", "schema": output.schema}
    return {"type": "json_schema", "json_schema": schema | _given(strict=output.strict)}


def _tools(chat: Chat, dropped: list[str]) -> Json:
    body: Json = {}
    choice = chat.tool_choice
    if found := tools.said(chat.tools, dropped):
        body["tools"] = found
        # Without tools, a choice among them is refused.
        if choice is not None and (choice.mode != "auto" or choice.parallel is None):
            body["tool_choice"] = tools.choice_said(choice, chat.tools)
        if choice is not None and choice.parallel is not None:
            body["parallel_tool_calls"] = choice.parallel
    return body


def _sampling(chat: Chat, dropped: list[str]) -> Json:
    if chat.n > 1:
        dropped.append("n")
    if chat.logprobs is not None:
        # They could be asked for, but there is no place for them on the way back.
        dropped.append("logprobs")
    body = _given(
        temperature=chat.temperature,
        top_p=chat.top_p,
        seed=chat.seed,
        presence_penalty=chat.presence_penalty,
        frequency_penalty=chat.frequency_penalty,
        stop=list(chat.stop) or None,
        user=chat.user or None,
        metadata=chat.metadata or None,
        service_tier=chat.service_tier or None,
    )
    if chat.top_k is not None:
        if chat.origin == ORIGIN:
            body["top_k"] = chat.top_k
        else:
            dropped.append("top_k")
    return body


def _extra(chat: Chat, dropped: list[str]) -> Json:
    if chat.origin == ORIGIN:
        return chat.extra
    shared = _SHARED_EXTRA if chat.origin == tools.RESPONSES else frozenset()
    dropped += [f"extra.{name}" for name in chat.extra if name not in shared]
    return {name: value for name, value in chat.extra.items() if name in shared}


def _messages(messages: Iterable[Message], dropped: list[str]) -> list[Json]:
    """Results must follow their calls at once: what such a message cannot hold is said after all of them."""
    found: list[Json] = []
    late: list[AnyPart] = []
    for message in messages:
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        if results:
            found += [_result(part, late, dropped) for part in results]
            late += [part for part in message.parts if not isinstance(part, ToolResult)]
            continue
        if late:
            found.append({"role": "user", "content": all_said(late, dropped)})
            late = []
        found += _said(message, dropped)
    return [*found, {"role": "user", "content": all_said(late, dropped)}] if late else found


def _said(message: Message, dropped: list[str]) -> list[Json]:
    if message.role == "assistant":
        return _assistant(message, dropped)
    content = all_said(message.parts, dropped)
    return [{"role": message.role, "content": content} | _given(name=message.name or None)]


def _result(part: ToolResult, late: list[AnyPart], dropped: list[str]) -> Json:
    if part.cache_point:
        dropped.append("cache_point")
    texts = [item.text for item in part.content if isinstance(item, Text)]
    if others := [item for item in part.content if not isinstance(item, Text)]:
        late += [Text(text=f"The result of the call {part.call_id}:"), *others]
        texts = texts or [_FOLLOWS]
    text = "\n".join(texts)
    # There is no flag for it: the model is told in words.
    content = f"Error: {text}" if part.is_error and not text.lower().startswith("error") else text
    return {"role": "tool", "tool_call_id": part.call_id, "content": content}


def _assistant(message: Message, dropped: list[str]) -> list[Json]:
    own = _own(message.parts, dropped)
    if message.parts and not own:
        return []
    content = [part for part in own if not isinstance(part, Thinking | ToolCall | Refusal)]
    calls = [tools.call_said(_unsigned(part, dropped)) for part in own if isinstance(part, ToolCall)]
    refusals = [part.text for part in own if isinstance(part, Refusal)]
    body: Json = {"role": "assistant"} | _given(name=message.name or None)
    # An assistant's message without content is refused unless it holds calls or a refusal.
    body["content"] = all_said(content, dropped) or (None if calls or refusals else "")
    if refusals:
        body["refusal"] = "".join(refusals)
    if calls:
        body["tool_calls"] = calls
    # What a provider has signed it gets back as it came, without our mark on it.
    thinking = shown(own)
    for block in thinking.get("thinking_blocks", ()):
        del block["origin"]
    return [body | thinking]


def _own(parts: Sequence[AnyPart], dropped: list[str]) -> list[AnyPart]:
    """What an assistant's message may hold here: no media, and nobody else's thinking."""
    found: list[AnyPart] = []
    for part in parts:
        if isinstance(part, Thinking) and part.origin != ORIGIN:
            dropped.append("thinking")
        elif isinstance(part, Image | Audio | File):
            dropped.append(type(part).__name__.lower())
        elif isinstance(part, Foreign) and part.origin != ORIGIN:
            dropped.append(part.kind)
        else:
            found.append(part)
    return found


def _unsigned(call: ToolCall, dropped: list[str]) -> ToolCall:
    if not call.signature or call.origin == ORIGIN:
        return call
    dropped.append("tool_call.signature")
    return msgspec.structs.replace(call, signature="")


def _given(**members: Any) -> Json:
    return {name: value for name, value in members.items() if value is not None}
