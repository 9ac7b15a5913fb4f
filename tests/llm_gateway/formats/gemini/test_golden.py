"""Translation both ways, held against files that were read by eye."""

from typing import Any

import msgspec
import pytest

from llm_gateway.chat.events import events_of
from llm_gateway.formats.gemini import request, spoken
from llm_gateway.formats.gemini.wire import GeminiWire
from shared import sse
from tests.llm_gateway.formats.gemini.samples import CHATS, REPLIES, golden

CALLERS = ("plain", "snake", "tools")
PROVIDERS = ("text", "tools", "blocked", "media")


def plain(given: msgspec.Struct) -> Any:
    return msgspec.json.decode(msgspec.json.encode(given))


@pytest.mark.parametrize("name", CALLERS)
def test_a_callers_request_in_the_neutral_form(name: str) -> None:
    held = golden(f"caller_{name}")
    chat = request.chat(msgspec.json.encode(held["body"]), "fast", stream=False)
    assert plain(chat) == held["chat"]


@pytest.mark.parametrize("name", CHATS)
def test_a_neutral_request_as_a_provider_gets_it(name: str) -> None:
    chat, model = CHATS[name]
    held, outbound = golden(f"asked_{name}"), GeminiWire().request(chat, model)
    assert msgspec.json.decode(outbound.body) == held["body"]
    assert list(outbound.dropped) == held["dropped"]


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_providers_reply_in_the_neutral_form(name: str) -> None:
    held = golden(f"provider_{name}")
    assert plain(GeminiWire().reply(msgspec.json.encode(held["body"]))) == held["reply"]


@pytest.mark.parametrize("name", REPLIES)
def test_a_neutral_reply_as_a_caller_gets_it(name: str) -> None:
    assert msgspec.json.decode(spoken.whole(REPLIES[name])) == golden(f"answered_{name}")["body"]


@pytest.mark.parametrize("name", REPLIES)
def test_a_neutral_reply_as_a_caller_gets_it_streamed(name: str) -> None:
    writer = spoken.GeminiWriter()
    stream = b"".join(writer.write(event) for event in events_of(REPLIES[name]))
    found = [msgspec.json.decode(sse.data_of(event)) for event in sse.SseSplitter().feed(stream)]
    assert found == golden(f"answered_{name}")["stream"]
