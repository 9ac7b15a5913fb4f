"""Conversations as Bedrock's tests need them."""

from typing import Any

import msgspec

from llm_gateway.chat.parts import Text
from llm_gateway.chat.request import Chat, Message, Output, Reasoning, Role, Tool, ToolChoice
from llm_gateway.formats.bedrock import BedrockWire
from llm_gateway.formats.bedrock.request import request

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
LLAMA = "meta.llama3-3-70b-instruct-v1:0"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


WIRE = BedrockWire()


def say(role: Role, *parts: Any, name: str = "") -> Message:
    told = tuple(Text(text=part) if isinstance(part, str) else part for part in parts)
    return Message(role=role, parts=told, name=name)


def chat(*messages: Message, **fields: Any) -> Chat:
    given = {"origin": "openai_chat", "model": "fast", "messages": messages or (say("user", "Hi"),)}
    return Chat(**{**given, **fields})


def sent(*messages: Message, model: str = CLAUDE, **fields: Any) -> Any:
    """The request's JSON."""
    return msgspec.json.decode(request(chat(*messages, **fields), model).body)


def dropped(*messages: Message, model: str = CLAUDE, **fields: Any) -> tuple[str, ...]:
    return request(chat(*messages, **fields), model).dropped


_KINDS: dict[str, Any] = {
    "messages": tuple[Message, ...],
    "tools": tuple[Tool, ...],
    "tool_choice": ToolChoice,
    "output": Output,
    "reasoning": Reasoning,
    "stop": tuple[str, ...],
}


def chat_of(fields: dict[str, Any]) -> Chat:
    """A neutral request from JSON."""
    return Chat(**{name: msgspec.convert(value, _KINDS.get(name, Any)) for name, value in fields.items()})
