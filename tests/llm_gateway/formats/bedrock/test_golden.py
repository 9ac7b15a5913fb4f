"""Translation both ways, held against files that were read by eye."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from llm_gateway.chat.events import Collector
from llm_gateway.chat.reply import Reply
from tests.llm_gateway.formats.bedrock.samples import WIRE, chat_of
from tests.support.bedrock_provider import event

FILES = Path(__file__).parents[3] / "golden" / "bedrock"
ASKED = sorted(path.stem for path in FILES.glob("asked_*.json"))
ANSWERED = sorted(path.stem for path in FILES.glob("answered_*.json"))


def golden(name: str) -> Any:
    return msgspec.json.decode((FILES / f"{name}.json").read_bytes())


def test_there_are_files_to_hold_it_against() -> None:
    assert (len(ASKED), len(ANSWERED)) == (5, 4)


@pytest.mark.parametrize("name", ASKED)
def test_a_neutral_request_as_bedrock_gets_it(name: str) -> None:
    held = golden(name)
    outbound = WIRE.request(chat_of(held["chat"]), held["model"])
    assert msgspec.json.decode(outbound.body) == held["body"]
    assert list(outbound.dropped) == held["dropped"]


@pytest.mark.parametrize("name", ANSWERED)
def test_bedrocks_reply_in_the_neutral_form(name: str) -> None:
    held = golden(name)
    assert WIRE.reply(msgspec.json.encode(held["body"])) == msgspec.convert(held["reply"], Reply)


@pytest.mark.parametrize("name", ANSWERED)
def test_bedrocks_stream_in_the_neutral_form(name: str) -> None:
    held = golden(name)
    decoder, collector = WIRE.decoder(), Collector()
    for kind, fields in held["stream"]:
        for each in decoder.feed(event(kind, fields)):
            collector.add(each)
    assert decoder.end() == []
    assert collector.reply == msgspec.convert(held["reply"], Reply)
