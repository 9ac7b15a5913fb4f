"""What the tests of this format have in common."""

import itertools
from pathlib import Path
from typing import Any

import msgspec

from llm_gateway.ask import Ask
from llm_gateway.chat.events import Collector, Event
from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat
from llm_gateway.formats import Format, Wire
from llm_gateway.formats.anthropic import Anthropic, AnthropicWire
from llm_gateway.formats.anthropic.decoder import AnthropicDecoder

GOLDEN = Path(__file__).parents[3] / "golden" / "anthropic"
MESSAGES = [{"role": "user", "content": "How are you?"}]
FORMAT: Format = Anthropic()
WIRE: Wire = AnthropicWire()


def asked(**members: Any) -> Ask:
    body = {"model": "fast", "max_tokens": 100, "messages": MESSAGES} | members
    return FORMAT.read(msgspec.json.encode(body), {})


def chat_of(**members: Any) -> Chat:
    return FORMAT.chat(asked(**members))


def sent(chat: Chat, wire: Wire = WIRE) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(wire.request(chat, "claude").body)
    return found


def cut_up(wire: bytes, borders: list[int]) -> list[bytes]:
    places = sorted({0, len(wire), *(border % len(wire) for border in borders)})
    return [wire[start:end] for start, end in itertools.pairwise(places)]


def decoded(parts: list[bytes]) -> list[Event]:
    decoder = AnthropicDecoder()
    found = [event for part in parts for event in decoder.feed(part)]
    return found + decoder.end()


def collected(events: list[Event]) -> Reply:
    collector = Collector()
    for event in events:
        collector.add(event)
    assert collector.complete
    return collector.reply


def written(events: list[Event], **members: Any) -> bytes:
    writer = FORMAT.writer(asked(**members))
    return b"".join(writer.write(event) for event in events)
