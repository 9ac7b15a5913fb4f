"""Providers' streams in neutral events, however their bytes are cut, and whatever bytes they are."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gateway.chat.events import Begin, Collector, End, Event, PartBegin, PartDelta, PartEnd
from llm_gateway.chat.parts import Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.formats.gemini.decoder import GeminiDecoder
from llm_gateway.formats.gemini.wire import GeminiWire
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused
from shared.ledger.entry import Usage
from tests.support import gemini_provider as google

COUNTED = Usage(tokens_in=20, tokens_out=8, cached=12, reasoning=3)
PARTS = (
    google.thought("Let me "),
    google.thought("think.", google.SIGNATURE),
    google.text("Hel"),
    google.text("lo"),
    google.call("weather", {"city": "Rome"}, signature="c2ln"),
    google.call("weather", {"city": "Oslo"}, call_id="own"),
    google.text(""),
)
STREAM = b"".join(google.events(PARTS))


def decoded(*chunks: bytes) -> list[Event]:
    decoder = GeminiDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.end()


def collected(*chunks: bytes) -> Reply:
    collector = Collector()
    for event in decoded(*chunks):
        collector.add(event)
    return collector.reply


def test_a_stream_is_begun_told_in_parts_and_ended() -> None:
    events = decoded(b"".join(google.events([google.text("Hel"), google.text("lo")])))
    assert events == [
        Begin(id="resp-1", model="real-model-2026-01-01"),
        PartBegin(place=0, part=Text()),
        PartDelta(place=0, text="Hel"),
        PartDelta(place=0, text="lo"),
        PartEnd(place=0),
        End(stop=Stop.END, usage=COUNTED),
    ]


def test_thoughts_texts_and_calls_are_parts_of_their_own() -> None:
    thinking, text, first, second = collected(STREAM).parts
    assert thinking == Thinking(text="Let me think.", signature=google.SIGNATURE, origin="gemini")
    assert text == Text(text="Hello")
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert (first.name, first.arguments, first.signature) == ("weather", '{"city":"Rome"}', "c2ln")
    assert (second.id, second.arguments) == ("own", '{"city":"Oslo"}')


def test_calls_without_ids_get_some_that_no_other_reply_has() -> None:
    calls = [google.call("a", {}), google.call("a", {})]
    first = collected(*google.events(calls)).parts
    renamed = [event.replace(b"resp-1", b"resp-2") for event in google.events(calls)]
    ids = [part.id for part in (*first, *collected(*renamed).parts) if isinstance(part, ToolCall)]
    assert len(set(ids)) == 4


def test_a_stream_cut_at_any_byte_says_the_same() -> None:
    expected = decoded(STREAM)
    for at in range(1, len(STREAM)):
        assert decoded(STREAM[:at], STREAM[at:]) == expected


def test_a_stream_that_comes_byte_by_byte_says_the_same() -> None:
    assert decoded(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == decoded(STREAM)


def test_a_stream_that_ends_anywhere_before_its_end_is_broken() -> None:
    # The last event is complete without its blank line.
    whole = len(STREAM.rstrip())
    for at in range(whole):
        with pytest.raises(UpstreamBroken):
            decoded(STREAM[:at])


def test_whole_and_streamed_replies_say_the_same() -> None:
    whole = GeminiWire().reply(google.written(google.answer(PARTS)))
    assert whole == collected(STREAM)


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("STOP", Stop.END),
        ("MAX_TOKENS", Stop.LENGTH),
        ("SAFETY", Stop.FILTERED),
        ("RECITATION", Stop.FILTERED),
        ("MODEL_ARMOR", Stop.FILTERED),
        ("A_NEW_FILTER", Stop.FILTERED),
        ("OTHER", Stop.END),
        ("CONTINUATION", Stop.PAUSE),
    ],
)
def test_reasons(reason: str, stop: Stop) -> None:
    assert collected(*google.events([google.text("Hi")], finish=reason)).stop is stop


def test_an_end_after_calls_is_a_wish_for_tools() -> None:
    assert collected(*google.events([google.call("a", {}), google.text("x")])).stop is Stop.TOOLS


def test_a_blocked_prompt_is_filtered() -> None:
    found = collected(google.event(google.blocked()))
    assert (found.stop, found.parts, found.usage) == (Stop.FILTERED, (), Usage(tokens_in=20))


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL"])
def test_an_answer_that_the_model_has_spoilt_is_broken(reason: str) -> None:
    with pytest.raises(UpstreamBroken, match=reason):
        collected(*google.events([google.text("")], finish=reason))


def test_lost_signatures_are_told_to_the_caller() -> None:
    with pytest.raises(UpstreamRefused, match="thoughtSignature") as caught:
        collected(*google.events([google.text("")], finish="MISSING_THOUGHT_SIGNATURE"))
    assert (caught.value.upstream_status, caught.value.retryable) == (400, False)


def test_an_error_in_the_stream_is_the_providers_refusal() -> None:
    error = google.error(429, "RESOURCE_EXHAUSTED", retry="7.5s")
    with pytest.raises(UpstreamRefused) as caught:
        collected(google.events([google.text("Hi"), google.text("")])[0], google.event(error))
    assert (caught.value.upstream_status, caught.value.retry_after) == (429, 7.5)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"candidates":3}', b'{"candidates":[{"content":{"parts":[{"text":1}]}}]}', b"\xff"],
)
def test_what_is_no_answer_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        GeminiWire().reply(body)


def test_an_answer_whose_candidate_has_not_ended_is_broken() -> None:
    with pytest.raises(UpstreamBroken, match="no candidate that has ended"):
        GeminiWire().reply(google.written(google.answer([google.text("Hi")], finish=None)))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAMES = st.sampled_from(
    (
        *("candidates", "content", "parts", "text", "thought", "thoughtSignature", "functionCall"),
        *("functionResponse", "inlineData", "fileData", "args", "name", "id", "finishReason", "index"),
        *("usageMetadata", "promptTokenCount", "promptFeedback", "blockReason", "error", "code", "details"),
        *("modelVersion", "responseId", "createTime", "mimeType", "data", "fileUri", "response"),
    )
)
SHAPED: st.SearchStrategy[Any] = st.recursive(
    SCALARS | st.sampled_from(["STOP", "SAFETY", "AUDIO", 1, -1]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(NAMES, SHAPED, max_size=5))
def test_no_json_of_a_providers_makes_anything_but_a_fault(fields: dict[str, Any]) -> None:
    body = msgspec.json.encode(fields)
    with contextlib.suppress(UpstreamFault):
        GeminiWire().reply(body)
    with contextlib.suppress(UpstreamFault):
        decoded(b"data: " + body + b"\n\n")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(0, len(STREAM)))
def test_no_bytes_of_a_providers_make_anything_but_a_fault(chunks: list[bytes], at: int) -> None:
    with contextlib.suppress(UpstreamFault):
        decoded(STREAM[:at], *chunks, STREAM[at:])


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(STREAM) - 1), st.integers(0, 255))
def test_one_wrong_byte_makes_nothing_but_a_fault(at: int, byte: int) -> None:
    with contextlib.suppress(UpstreamFault):
        decoded(STREAM[:at] + bytes([byte]) + STREAM[at + 1 :])
