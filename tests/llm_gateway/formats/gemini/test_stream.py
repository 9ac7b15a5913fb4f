"""Answers that pass as they are, watched on the way."""

import pytest

from llm_gateway.formats.gemini import Gemini
from llm_gateway.formats.gemini.stream import GeminiStream, read_reply
from shared.errors import UpstreamBroken, UpstreamRefused
from shared.ledger.entry import Usage
from tests.support import gemini_provider as google

COUNTED = Usage(tokens_in=20, tokens_out=8, cached=12, reasoning=3)
EVENTS = google.events([google.text("Hel"), google.text("lo"), google.text("")])
STREAM = b"".join(EVENTS)


def passed(*chunks: bytes) -> tuple[bytes, GeminiStream]:
    reader = GeminiStream()
    out = b"".join([*(reader.feed(chunk) for chunk in chunks), reader.end()])
    return out, reader


def test_every_byte_of_a_stream_goes_out_and_the_last_count_holds() -> None:
    out, reader = passed(STREAM)
    assert (out, reader.usage, reader.done, reader.fault) == (STREAM, COUNTED, True, None)


def test_a_stream_cut_at_any_byte_passes_unchanged() -> None:
    for at in range(1, len(STREAM)):
        out, reader = passed(STREAM[:at], STREAM[at:])
        assert (out, reader.usage, reader.done) == (STREAM, COUNTED, True)


def test_only_whole_events_go_out() -> None:
    reader = GeminiStream()
    assert reader.feed(EVENTS[0] + EVENTS[1][:-3]) == EVENTS[0]


def test_a_stream_that_ends_before_its_reason_is_broken() -> None:
    for at in range(len(STREAM.rstrip())):
        _, reader = passed(STREAM[:at])
        assert isinstance(reader.fault, UpstreamBroken)
        assert not reader.done


def test_every_candidate_must_have_ended() -> None:
    two = google.answer([google.text("a")], finish=None)
    two["candidates"].append({**two["candidates"][0], "index": 1})
    _, reader = passed(google.event(two), EVENTS[-1])
    assert isinstance(reader.fault, UpstreamBroken)


def test_a_blocked_prompt_is_a_proper_end() -> None:
    _, reader = passed(google.event(google.blocked()))
    assert (reader.done, reader.usage) == (True, Usage(tokens_in=20))


def test_an_error_in_the_stream_is_held_back_with_its_words() -> None:
    failed = google.event(google.error(503, "UNAVAILABLE", "overloaded"))
    out, reader = passed(EVENTS[0], failed)
    assert out == EVENTS[0]
    assert isinstance(reader.fault, UpstreamRefused)
    assert reader.fault.upstream_status == 503
    assert b"overloaded" in reader.fault.body


def test_garbage_is_held_back() -> None:
    out, reader = passed(EVENTS[0], b"data: <html>\n\n")
    assert out == EVENTS[0]
    assert isinstance(reader.fault, UpstreamBroken)


def test_what_was_said_before_a_cut_is_guessed() -> None:
    reader = GeminiStream()
    reader.feed(google.event(google.answer([google.text("word " * 80)], finish=None, usage=None)))
    assert 80 <= reader.estimate() <= 130


def test_the_usage_of_a_whole_reply() -> None:
    assert read_reply(google.written(google.answer([google.text("Hi")]))) == COUNTED
    assert Gemini().usage_of(google.written(google.answer([google.text("Hi")], usage=None))) is None


def test_a_whole_reply_that_is_none() -> None:
    with pytest.raises(UpstreamBroken):
        read_reply(b'{"choices":[]}')
    with pytest.raises(UpstreamRefused):
        read_reply(google.written(google.error(500, "INTERNAL")))


@pytest.mark.parametrize("count", [-1, 2**40, "many", 1.5, None])
def test_a_count_that_cannot_be_true_is_as_good_as_absent(count: object) -> None:
    assert read_reply(google.written(google.answer([], usage={"promptTokenCount": count}))) is None
