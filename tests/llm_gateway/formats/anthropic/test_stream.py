"""Reading along with a stream: every byte passes, whole events at a time, however they arrive."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gateway.formats.anthropic.stream import AnthropicStream, read_reply
from shared.errors import UpstreamBroken, UpstreamRefused
from shared.ledger.entry import Usage
from tests.llm_gateway.formats.anthropic.samples import cut_up
from tests.support.anthropic_provider import (
    PING,
    error_body,
    error_event,
    event,
    events,
    finish,
    message_body,
    start,
    text_block,
    thinking_block,
    tool_block,
)

COUNTED = Usage(tokens_in=20, tokens_out=8, cached=12, cache_write=2, reasoning=3)
PIECES = ("Hel", "lo \N{SNOWMAN}", "message_stop", "message_delta", '"error":{"x":1}', "event: error\n\n")
WHOLE = events(
    thinking_block(0, "Let ", "me see"),
    text_block(1, *PIECES),
    tool_block(2, "toolu_1", "find", '{"a":', "1}"),
)


def fed(reader: AnthropicStream, parts: list[bytes]) -> bytes:
    return b"".join(reader.feed(part) for part in parts)


@settings(deadline=None)
@given(st.lists(st.integers(0, 10_000), max_size=12), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_a_stream_passes_byte_for_byte(borders: list[int], newline: bytes) -> None:
    sent = b"".join(item.replace(b"\n", newline) for item in WHOLE)
    reader = AnthropicStream()
    assert fed(reader, cut_up(sent, borders)) == sent
    assert reader.done
    assert reader.fault is None
    assert reader.usage == COUNTED


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_stream_passes_in_two_parts_wherever_it_is_cut(newline: bytes) -> None:
    sent = b"".join(item.replace(b"\n", newline) for item in WHOLE)
    for border in range(1, len(sent)):
        reader = AnthropicStream()
        assert fed(reader, [sent[:border], sent[border:]]) == sent
        assert (reader.done, reader.usage) == (True, COUNTED)


def test_a_stream_that_is_cut_shows_whole_events_and_then_its_fault() -> None:
    sent = b"".join(WHOLE)
    last_words = len(sent) - len(finish()[1])
    shown = {b"".join(WHOLE[:count]) for count in range(len(WHOLE))}
    for border in range(len(sent) - len(b"".join(finish())) - 1):
        reader = AnthropicStream()
        out = reader.feed(sent[:border]) + reader.end()
        assert out in shown
        assert isinstance(reader.fault, UpstreamBroken)
        assert not reader.done
    reader = AnthropicStream()
    assert reader.feed(sent[:last_words]) + reader.end() == sent
    assert reader.done


def test_events_are_not_held_back() -> None:
    reader = AnthropicStream()
    for item in WHOLE:
        assert reader.feed(item) == item


def test_the_part_of_an_event_waits_for_the_rest_of_it_only() -> None:
    reader = AnthropicStream()
    first, second = WHOLE[3], WHOLE[4]
    assert reader.feed(start() + first + second[:20]) == start() + first
    assert reader.feed(second[20:]) == second


def test_usage_is_known_from_the_first_event_and_grows_with_what_goes_by() -> None:
    assert AnthropicStream().usage is None
    reader = AnthropicStream()
    reader.feed(start())
    assert reader.usage == Usage(tokens_in=20, tokens_out=1, cached=12, cache_write=2)
    for _ in range(30):
        reader.feed(text_block(0, "word ")[1])
    assert reader.usage is not None
    assert reader.usage.tokens_out == 30
    fed(reader, finish())
    assert reader.usage == COUNTED


def test_counts_in_later_events_are_totals() -> None:
    reader = AnthropicStream()
    fed(
        reader,
        [
            start(),
            *finish(usage={"output_tokens": 5})[:1],
            *finish(usage={"input_tokens": 30, "output_tokens": 9}),
        ],
    )
    assert reader.usage == Usage(tokens_in=44, tokens_out=9, cached=12, cache_write=2)


def test_zeros_do_not_undo_what_was_counted() -> None:
    reader = AnthropicStream()
    zeros = {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 9}
    fed(reader, [start(), *finish(usage=zeros)])
    assert reader.usage == Usage(tokens_in=20, tokens_out=9, cached=12, cache_write=2)


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": -1}, {"input_tokens": "x"}, 7])
def test_a_count_that_cannot_be_true_is_none(usage: object) -> None:
    reader = AnthropicStream()
    fed(reader, [event("message_start", message={"usage": usage}), *finish(usage={})])
    assert reader.done
    assert reader.usage in (None, Usage())


def test_an_error_in_the_stream_ends_it() -> None:
    reader = AnthropicStream()
    passed = start() + text_block(0, "a")[0]
    assert reader.feed(passed + error_event("rate_limit_error") + text_block(0, "b")[1]) == passed
    assert isinstance(reader.fault, UpstreamRefused)
    assert reader.fault.upstream_status == 429
    assert b"Overloaded" in reader.fault.body


def test_an_error_may_come_first() -> None:
    reader = AnthropicStream()
    assert reader.feed(error_event()) == b""
    assert isinstance(reader.fault, UpstreamRefused)
    assert reader.fault.upstream_status == 529


def test_what_comes_after_the_end_is_dropped() -> None:
    reader = AnthropicStream()
    out = fed(reader, [b"".join(WHOLE) + PING])
    assert out == b"".join(WHOLE)


def test_a_ping_may_come_first_and_an_unknown_event_at_any_time() -> None:
    reader, unknown = AnthropicStream(), event("content_block_wink", index=0)
    parts = [PING, start(), unknown, *finish()]
    assert fed(reader, parts) == b"".join(parts)
    assert reader.done


@pytest.mark.parametrize(
    "garbage",
    [b"data: hello\n\n", b"data: [1]\n\n", b"data: {}\n\n", event("message_stop"), text_block(0, "a")[0]],
)
def test_something_else_than_a_message_is_a_fault(garbage: bytes) -> None:
    reader = AnthropicStream()
    assert reader.feed(garbage) == b""
    assert isinstance(reader.fault, UpstreamBroken)


@settings(deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(WHOLE)), max_size=12))
def test_no_bytes_of_a_providers_make_it_raise(parts: list[bytes]) -> None:
    reader = AnthropicStream()
    for part in parts:
        if not (reader.done or reader.fault):
            reader.feed(part)
    if not (reader.done or reader.fault):
        reader.end()
    assert reader.done or reader.fault is not None


def test_an_event_without_end_is_a_fault() -> None:
    reader = AnthropicStream()
    reader.feed(start())
    reader.feed(b"data: " + b"x" * (8 * 1024 * 1024 + 1))
    assert isinstance(reader.fault, UpstreamBroken)


def test_the_usage_of_a_whole_reply_includes_its_cache() -> None:
    assert read_reply(message_body()) == COUNTED
    assert read_reply(message_body(usage=None)) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"null", b'{"type":"message"}', b'{"type":7,"content":[]}', b"[" * 10_000],
    ids=repr,
)
def test_what_is_no_reply_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        read_reply(body)


def test_an_error_in_place_of_a_reply_is_a_refusal() -> None:
    with pytest.raises(UpstreamRefused):
        read_reply(error_body("overloaded_error"))
