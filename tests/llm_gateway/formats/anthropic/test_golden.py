"""Requests and replies exactly as they are on the wire, both ways. The files are the facts: a change of one
is a change of what clients and providers see.
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from llm_gateway.chat.events import events_of
from llm_gateway.chat.reply import Reply
from tests.llm_gateway.formats.anthropic.chats import CHATS
from tests.llm_gateway.formats.anthropic.replies import OTHERS, OWN
from tests.llm_gateway.formats.anthropic.samples import (
    FORMAT,
    GOLDEN,
    WIRE,
    asked,
    collected,
    decoded,
    written,
)

CLIENT_CASES = sorted(
    path.name.removesuffix(".request.json") for path in (GOLDEN / "client").glob("*.request.json")
)
OTHERS_KNOWN = {name: reply for name, reply in OTHERS.items() if reply.id}


def read(*place: str) -> Any:
    return msgspec.json.decode(Path(GOLDEN, *place).read_bytes())


@pytest.mark.parametrize("case", CLIENT_CASES)
def test_a_clients_request_is_understood(case: str) -> None:
    ask = FORMAT.read((GOLDEN / "client" / f"{case}.request.json").read_bytes(), {})
    found = msgspec.json.decode(msgspec.json.encode(FORMAT.chat(ask)))
    assert found == read("client", f"{case}.chat.json")


@pytest.mark.parametrize("case", [case for case in CLIENT_CASES if case != "other_signatures"])
def test_a_clients_request_comes_through_the_neutral_form_to_a_provider(case: str) -> None:
    """What is equivalent is written in one way only, so what arrived is what arrives again."""
    ask = FORMAT.read((GOLDEN / "client" / f"{case}.request.json").read_bytes(), {})
    outbound = WIRE.request(FORMAT.chat(ask), ask.model)
    again = FORMAT.read(outbound.body, {})
    assert outbound.dropped == ()
    assert FORMAT.chat(again) == FORMAT.chat(ask)


@pytest.mark.parametrize("case", CHATS)
def test_another_formats_request_is_written(case: str) -> None:
    outbound = WIRE.request(CHATS[case], "claude")
    found = {"body": msgspec.json.decode(outbound.body), "dropped": list(outbound.dropped)}
    assert found == read("provider", f"{case}.json")


@pytest.mark.parametrize("case", OWN)
def test_a_providers_reply_is_read(case: str) -> None:
    assert WIRE.reply((GOLDEN / "reply" / f"{case}.json").read_bytes()) == OWN[case]


@pytest.mark.parametrize("case", OWN)
def test_a_providers_stream_is_read(case: str) -> None:
    assert collected(decoded([(GOLDEN / "reply" / f"{case}.sse").read_bytes()])) == OWN[case]


@pytest.mark.parametrize("case", [*OWN, *OTHERS_KNOWN])
def test_a_reply_is_written(case: str) -> None:
    neutral: Reply = (OWN | OTHERS)[case]
    assert msgspec.json.decode(FORMAT.reply(neutral, asked())) == read("reply", f"{case}.json")


@pytest.mark.parametrize("case", [*OWN, *OTHERS_KNOWN])
def test_a_stream_is_written(case: str) -> None:
    neutral: Reply = (OWN | OTHERS)[case]
    assert written(list(events_of(neutral))).decode() == (GOLDEN / "reply" / f"{case}.sse").read_text()
