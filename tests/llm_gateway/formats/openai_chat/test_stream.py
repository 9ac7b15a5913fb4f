"""Reading along with a stream: only the extra usage event is missing from it, however its bytes arrive."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.formats.openai_chat.stream import OpenAIStream, read_reply
from shared.errors import UpstreamBroken, UpstreamRefused
from shared.ledger.entry import Usage
from tests.support.providers import DONE, chunk, completion_body, event, events

COUNTED = Usage(tokens_in=20, tokens_out=8, cached=12, reasoning=3)
PIECES = ("Hel", "lo \N{SNOWMAN}", '"usage":{', "[DONE]", '"error":{"x":1}')


def cut_up(wire: bytes, borders: list[int]) -> list[bytes]:
    places = sorted({0, len(wire), *(border % len(wire) for border in borders)})
    return [wire[start:end] for start, end in itertools.pairwise(places)]


def fed(reader: OpenAIStream, parts: list[bytes]) -> bytes:
    return b"".join(reader.feed(part) for part in parts)


@given(st.lists(st.integers(0, 10_000), max_size=12), st.booleans(), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_a_stream_passes_whole_but_for_the_usage_nobody_asked_for(
    borders: list[int], wanted: bool, newline: bytes
) -> None:
    sent = [item.replace(b"\n", newline) for item in events(PIECES, counted=True)]
    reader = OpenAIStream(show_usage=wanted)
    out = fed(reader, cut_up(b"".join(sent), borders))
    assert out == b"".join(sent if wanted else [*sent[:-2], sent[-1]])
    assert reader.usage == COUNTED
    assert reader.done


def test_events_are_not_held_back() -> None:
    reader = OpenAIStream(show_usage=False)
    for item in events(PIECES, counted=False)[:-1]:
        assert reader.feed(item) == item


def test_the_part_of_an_event_waits_for_the_rest_of_it_only() -> None:
    reader, first, second = OpenAIStream(show_usage=False), chunk({"content": "a"}), chunk({"content": "b"})
    assert reader.feed(first + second[:20]) == first
    assert reader.feed(second[20:]) == second


def test_comments_pass_and_say_nothing() -> None:
    reader = OpenAIStream(show_usage=False)
    assert reader.feed(b": ping\n\n") == b": ping\n\n"
    assert not reader.done


def test_usage_beside_text_is_shown_even_to_who_did_not_ask() -> None:
    reader = OpenAIStream(show_usage=False)
    both = chunk({"content": "x"}, extra={"usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    assert fed(reader, [chunk({"content": "a"}), both]).endswith(both)
    assert reader.usage == Usage(tokens_in=1, tokens_out=1)


def test_what_comes_after_the_end_is_dropped() -> None:
    reader = OpenAIStream(show_usage=False)
    out = reader.feed(chunk({"content": "a"}) + DONE + chunk({"content": "late"}))
    assert out.endswith(DONE)
    assert b"late" not in out


def test_a_last_event_without_its_blank_line_counts() -> None:
    reader = OpenAIStream(show_usage=False)
    reader.feed(chunk({"content": "a"}) + b"data: [DONE]")
    assert reader.end() == b"data: [DONE]\n\n"


def test_a_provider_that_closes_after_usage_is_done() -> None:
    reader = OpenAIStream(show_usage=False)
    fed(reader, events(["a"], counted=True)[:-1])
    assert reader.end() == DONE


@pytest.mark.parametrize(
    "parts", [[], [b": ping\n\n"], [chunk({"content": "a"})], [chunk({"content": "a"})[:30]]]
)
def test_a_stream_that_ends_early_is_broken(parts: list[bytes]) -> None:
    reader = OpenAIStream(show_usage=False)
    fed(reader, parts)
    reader.end()
    assert isinstance(reader.fault, UpstreamBroken)


@pytest.mark.parametrize("data", [b"garbage", b"<html>", b"{}", b"[1]", b'{"choices":5}', b'{"choices":"x"}'])
def test_a_first_event_that_is_no_completion_chunk_is_broken(data: bytes) -> None:
    reader = OpenAIStream(show_usage=False)
    assert reader.feed(b"data: " + data + b"\n\n") == b""
    assert isinstance(reader.fault, UpstreamBroken)


def test_an_error_is_kept_in_the_providers_words_and_with_its_status() -> None:
    reader = OpenAIStream(show_usage=False)
    reader.feed(b'event: error\ndata: {"error": {"message": "no", "code": 503}}\n\n')
    assert isinstance(reader.fault, UpstreamRefused)
    assert reader.fault.body == b'{"error": {"message": "no", "code": 503}}'
    assert (reader.fault.upstream_status, reader.fault.retryable) == (503, True)


def test_what_came_before_an_error_goes_out_before_it() -> None:
    reader, text = OpenAIStream(show_usage=False), chunk({"content": "a"})
    assert reader.feed(text + b'data: {"error":{}}\n\n' + chunk({"content": "late"})) == text
    assert reader.fault is not None


def test_without_a_count_tokens_are_guessed_by_events_of_one_size() -> None:
    reader = OpenAIStream(show_usage=False)
    fed(reader, [chunk({"content": "word"}) for _ in range(50)])
    assert reader.estimate() == 50


def test_without_a_count_long_events_are_guessed_by_their_bytes() -> None:
    reader = OpenAIStream(show_usage=False)
    fed(reader, [chunk({"content": "x"}), chunk({"content": "word" * 400})])
    assert 370 <= reader.estimate() <= 410


@given(st.lists(st.integers(0, 10_000), max_size=12))
def test_the_guess_depends_little_on_how_the_bytes_arrive(borders: list[int]) -> None:
    wire = b"".join(chunk({"content": "four"}) for _ in range(40))
    reader = OpenAIStream(show_usage=False)
    fed(reader, cut_up(wire, borders))
    assert reader.estimate() == 40


def test_a_whole_reply_has_its_usage() -> None:
    assert read_reply(completion_body()) == COUNTED
    assert read_reply(completion_body(usage=None)) is None


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'"x"', b'{"choices":', b"[" * 100_000], ids=repr
)
def test_a_whole_reply_that_is_no_completion_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        read_reply(body)


def test_an_error_at_status_200_is_an_error() -> None:
    with pytest.raises(UpstreamRefused):
        read_reply(b'{"error":{"message":"no"}}')


def test_an_event_of_an_unknown_kind_passes() -> None:
    reader = OpenAIStream(show_usage=False)
    reader.feed(chunk({"content": "a"}))
    assert reader.feed(event({"object": "ping"})) == event({"object": "ping"})
