"""Whole replies of Bedrock as neutral ones."""

from typing import Any

import msgspec
import pytest

from llm_gateway.chat.parts import Foreign, Image, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from shared.errors import UpstreamBroken
from shared.ledger.entry import Usage
from tests.llm_gateway.formats.bedrock.samples import WIRE
from tests.support.bedrock_provider import reply_body


def test_a_text() -> None:
    assert WIRE.reply(reply_body()) == Reply(
        id="",
        model="",
        parts=(Text(text="Hello there"),),
        stop=Stop.END,
        usage=Usage(tokens_in=20, tokens_out=8, cached=12, cache_write=3),
    )


def test_every_kind_of_block() -> None:
    reply = WIRE.reply(
        reply_body(
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
            {"reasoningContent": {"redactedContent": "cmVk"}},
            {"citationsContent": {"content": [{"text": "a"}, {"text": "b"}], "citations": []}},
            {"toolUse": {"toolUseId": "t-1", "name": "weather", "input": {"city": "Rome", "n": 1.5}}},
            {"image": {"format": "png", "source": {"bytes": "iVBORw0"}}},
            {"video": {"format": "mp4"}},
            reason="tool_use",
        )
    )
    assert reply.stop is Stop.TOOLS
    assert reply.parts == (
        Thinking(text="hm", signature="c2ln", origin="bedrock"),
        Thinking(signature="cmVk", origin="bedrock", redacted=True),
        Text(text="ab"),
        ToolCall(id="t-1", name="weather", arguments='{"city":"Rome","n":1.5}'),
        Image(media_type="image/png", data="iVBORw0"),
        Foreign(origin="bedrock", kind="video", value={"video": {"format": "mp4"}}),
    )


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", Stop.END),
        ("tool_use", Stop.TOOLS),
        ("max_tokens", Stop.LENGTH),
        ("model_context_window_exceeded", Stop.LENGTH),
        ("stop_sequence", Stop.SEQUENCE),
        ("guardrail_intervened", Stop.FILTERED),
        ("content_filtered", Stop.FILTERED),
        ("pause_turn", Stop.PAUSE),
        ("something_new", Stop.END),
    ],
)
def test_why_it_stopped(reason: str, stop: Stop) -> None:
    assert WIRE.reply(reply_body(reason=reason)).stop is stop


@pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use"])
def test_an_answer_that_the_model_spoilt_is_none(reason: str) -> None:
    with pytest.raises(UpstreamBroken, match=reason):
        WIRE.reply(reply_body(reason=reason))


def test_which_sequence_stopped_it() -> None:
    body = msgspec.json.decode(reply_body(reason="stop_sequence"))
    body["additionalModelResponseFields"] = {"stop_sequence": "END"}
    assert WIRE.reply(msgspec.json.encode(body)).stop_sequence == "END"


def test_the_model_that_a_router_chose() -> None:
    body = msgspec.json.decode(reply_body())
    body["trace"] = {
        "promptRouter": {"invokedModelId": "arn:aws:bedrock:us-east-1::foundation-model/a.b-v1:0"}
    }
    assert WIRE.reply(msgspec.json.encode(body)).model == "a.b-v1:0"


def test_a_reply_that_was_not_counted() -> None:
    assert WIRE.reply(reply_body(usage=None)).usage is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"<html>",
        b"[" * 100_000,
        b'{"output":{"message":{"content":[{"text":1}]}},"stopReason":"a"}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_reply_is_broken(body: Any) -> None:
    with pytest.raises(UpstreamBroken):
        WIRE.reply(body)
