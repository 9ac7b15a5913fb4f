"""Responses to and from the neutral form, compared with what is on file."""

from typing import Any

import msgspec
import pytest

from llm_gateway.chat.events import Event
from llm_gateway.chat.reply import Reply
from llm_gateway.formats.openai_responses import OpenAIResponses, OpenAIResponsesWire
from tests.llm_gateway.formats.openai_chat.samples import Json, decoded, golden, joined, neutral, plain
from tests.support.clock import FakeClock
from tests.support.responses_provider import wire

FORMAT, WIRE = OpenAIResponses(clock=FakeClock()), OpenAIResponsesWire()
ASKED = {
    "model": "fast",
    "input": "hi",
    "stream": True,
    "temperature": 0.5,
    "tools": [{"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}],
    "metadata": {"a": "b"},
}
ASK = msgspec.structs.replace(FORMAT.read(msgspec.json.encode(ASKED), {}), id="resp_gs0123")


@pytest.mark.parametrize("case", golden("openai_responses/requests"))
def test_a_request_becomes_neutral_and_goes_out_again(case: Json) -> None:
    chat = FORMAT.chat(FORMAT.read(msgspec.json.encode(case["sent"]), {}))
    assert plain(chat) == case["chat"]
    sent = WIRE.request(chat, chat.model)
    assert msgspec.json.decode(sent.body) == case["outbound"]
    assert list(sent.dropped) == case["dropped"]


@pytest.mark.parametrize("case", golden("openai_responses/outbound"))
def test_a_request_of_another_format_goes_out(case: Json) -> None:
    chat = neutral(case["chat"])
    sent = WIRE.request(chat, chat.model)
    assert msgspec.json.decode(sent.body) == case["outbound"]
    assert list(sent.dropped) == case["dropped"]


@pytest.mark.parametrize("case", golden("openai_responses/replies"))
def test_a_reply_becomes_neutral_and_is_shown(case: Json) -> None:
    reply = WIRE.reply(msgspec.json.encode(case["provider"]))
    assert reply == msgspec.convert(case["reply"], Reply)
    assert msgspec.json.decode(FORMAT.reply(reply, ASK)) == case["shown"]


@pytest.mark.parametrize("case", golden("openai_responses/streams"))
def test_a_stream_becomes_neutral_and_is_shown(case: Json) -> None:
    events = decoded(WIRE.decoder(), [wire(case["provider"])])
    assert events == msgspec.convert(case["events"], list[Event])
    writer = FORMAT.writer(ASK)
    assert b"".join(writer.write(event) for event in events) == wire(case["shown"])


@pytest.mark.parametrize("case", golden("openai_responses/streams"))
def test_a_stream_and_its_last_event_tell_the_same(case: Json) -> None:
    whole: Any = case["provider"][-1]["response"]
    told = joined(decoded(WIRE.decoder(), [wire(case["provider"])]))
    assert told == WIRE.reply(msgspec.json.encode(whole))
    writer = FORMAT.writer(ASK)
    for event in msgspec.convert(case["events"], list[Event]):
        writer.write(event)
    assert writer.response == FORMAT.reply(told, ASK)
