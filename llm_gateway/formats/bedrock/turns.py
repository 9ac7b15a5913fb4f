"""The messages of a conversation as Converse wants them: instructions apart, user and assistant in turns,
all results of one turn's calls in one message and in front.
"""

from typing import Any

from msgspec import Struct

from llm_gateway.chat.parts import Text, Thinking, ToolCall, ToolResult
from llm_gateway.chat.request import Message
from llm_gateway.formats.bedrock.content import CACHE_POINT, ORIGIN, Blocks
from shared.errors import BadRequest

Json = dict[str, Any]


class Turns(Struct, frozen=True):
    system: list[Json]
    messages: list[Json]


def turns(messages: tuple[Message, ...], blocks: Blocks) -> Turns:
    """What the system says later keeps its place, as words of the user that say whose they are. Raises
    BadRequest when there is nothing to answer.
    """
    system: list[Json] = []
    told: list[Json] = []
    for message in messages:
        if message.role != "system":
            _add(told, message.role, _said(message, blocks))
        elif told:
            _add(told, "user", [_marked(block) for block in _instructions(message, blocks)])
        else:
            system += _instructions(message, blocks)
    if not told and system:
        # Somebody must speak first: where only the system has spoken, its words are what is to be answered.
        system, told = [], [{"role": "user", "content": system}]
    if not told:
        raise BadRequest("messages: must hold a message with content", data={"param": "messages"})
    return Turns(system, [{**turn, "content": _ordered(turn["content"])} for turn in told])


def calls_unsigned(messages: tuple[Message, ...]) -> bool:
    """Whether an answer to tool results is wanted whose calls have lost the thoughts that led to them."""
    spoken = [message for message in messages if message.role != "system"]
    if not spoken or not any(isinstance(part, ToolResult) for part in spoken[-1].parts):
        return False
    asked = next((message for message in reversed(spoken) if message.role == "assistant"), None)
    return asked is None or not any(
        isinstance(part, Thinking) and part.origin == ORIGIN for part in asked.parts
    )


def used_tools(messages: tuple[Message, ...]) -> list[str]:
    """The names of the tools that the conversation has called already."""
    calls = [part for message in messages for part in message.parts if isinstance(part, ToolCall)]
    return list(dict.fromkeys(call.name for call in calls))


def _said(message: Message, blocks: Blocks) -> list[Json]:
    if message.name:
        blocks.dropped.append("message.name")
    return [block for part in message.parts for block in blocks.of(part)]


def _instructions(message: Message, blocks: Blocks) -> list[Json]:
    """The system speaks in text only."""
    told: list[Json] = []
    for part in message.parts:
        if isinstance(part, Text):
            told += blocks.of(part)
        else:
            blocks.dropped.append(f"system.{type(part).__name__.lower()}")
    return told


def _marked(block: Json) -> Json:
    return {"text": f"<system>\n{block['text']}\n</system>"} if "text" in block else block


def _add(told: list[Json], role: str, content: list[Json]) -> None:
    if told and told[-1]["role"] == role:
        told[-1]["content"] += content
    elif content:
        told.append({"role": role, "content": content})


def _ordered(content: list[Json]) -> list[Json]:
    """Results first, each with the cache point that may follow it; otherwise as it was."""
    results: list[Json] = []
    others: list[Json] = []
    place = others
    for block in content:
        if block is not CACHE_POINT:
            place = results if "toolResult" in block else others
        place.append(block)
    return results + others
