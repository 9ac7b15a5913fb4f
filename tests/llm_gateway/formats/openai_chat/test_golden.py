"""Chat completions to and from the neutral form, compared with what is on file."""

from typing import Any

import msgspec
import pytest

from llm_gateway.chat.events import Event
from llm_gateway.chat.reply import Reply
from llm_gateway.formats.openai_chat import OpenAIChat, OpenAIChatWire
from tests.llm_gateway.formats.openai_chat.samples import Json, decoded, golden, neutral, plain
from tests.support.clock import FakeClock

FORMAT, WIRE = OpenAIChat(FakeClock()), OpenAIChatWire()
ASKED = {"model": "fast", "messages": [], "stream": True, "stream_options": {"include_usage": True}}
ASK = FORMAT.read(msgspec.json.encode(ASKED), {})


@pytest.mark.parametrize("case", golden("openai_chat/requests"))
def test_a_request_becomes_neutral_and_goes_out_again(case: Json) -> None:
    chat = FORMAT.chat(FORMAT.read(msgspec.json.encode(case["sent"]), {}))
    assert plain(chat) == case["chat"]
    sent = WIRE.request(chat, chat.model)
    assert msgspec.json.decode(sent.body) == case["outbound"]
    assert list(sent.dropped) == case["dropped"]


@pytest.mark.parametrize("case", golden("openai_chat/outbound"))
def test_a_request_of_another_format_goes_out(case: Json) -> None:
    chat = neutral(case["chat"])
    sent = WIRE.request(chat, chat.model)
    assert msgspec.json.decode(sent.body) == case["outbound"]
    assert list(sent.dropped) == case["dropped"]


@pytest.mark.parametrize("case", golden("openai_chat/replies"))
def test_a_reply_becomes_neutral_and_is_shown(case: Json) -> None:
    reply = WIRE.reply(msgspec.json.encode(case["provider"]))
    assert reply == msgspec.convert(case["reply"], Reply)
    assert msgspec.json.decode(FORMAT.reply(reply, ASK)) == case["shown"]


@pytest.mark.parametrize("case", golden("openai_chat/streams"))
def test_a_stream_becomes_neutral_and_is_shown(case: Json) -> None:
    events = decoded(WIRE.decoder(), [wire(case["provider"])])
    assert events == msgspec.convert(case["events"], list[Event])
    writer = FORMAT.writer(ASK)
    assert b"".join(writer.write(event) for event in events) == wire(case["shown"])


def wire(items: list[Any]) -> bytes:
    data = [item.encode() if isinstance(item, str) else msgspec.json.encode(item) for item in items]
    return b"".join(b"data: " + item + b"\n\n" for item in data)
