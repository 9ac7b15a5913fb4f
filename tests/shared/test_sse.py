"""Events come out byte for byte as they went in, wherever the network cut them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import sse
from shared.errors import UpstreamBroken

STREAMS = (
    b'data: {"a":1}\n\ndata: [DONE]\n\n',
    b"event: x\r\ndata: one\r\ndata: two\r\n\r\n: ping\r\n\r\n",
    b"data: one\r\rdata: two\r\r",
    b"id: 1\ndata\n\nretry: 5\n\n",
)


@given(st.sampled_from(STREAMS), st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_any_cutting_of_a_stream_gives_back_the_same_bytes(stream: bytes, cuts: list[int]) -> None:
    splitter, events, place = sse.SseSplitter(), [], 0
    while place < len(stream):
        size = cuts[place % len(cuts)]
        events += splitter.feed(stream[place : place + size])
        place += size
    assert b"".join(events) + splitter.rest() == stream
    assert splitter.empty == (not splitter.rest())


def test_whole_events_are_split_at_every_kind_of_line_end() -> None:
    splitter = sse.SseSplitter()
    assert splitter.feed(STREAMS[1]) == [b"event: x\r\ndata: one\r\ndata: two\r\n\r\n", b": ping\r\n\r\n"]
    assert splitter.rest() == b""


@pytest.mark.parametrize("border", range(1, len(STREAMS[1])))
def test_no_line_end_is_cut_in_two(border: int) -> None:
    splitter = sse.SseSplitter()
    events = splitter.feed(STREAMS[1][:border]) + splitter.feed(STREAMS[1][border:])
    assert events == [b"event: x\r\ndata: one\r\ndata: two\r\n\r\n", b": ping\r\n\r\n"]


def test_data_lines_are_joined_and_comments_have_none() -> None:
    assert sse.data_of(b"event: x\ndata: one\ndata:two\n\n") == b"one\ntwo"
    assert sse.data_of(b": ping\n\n") == b""
    assert sse.data_of(b'data: {"a":1}\n\n') == b'{"a":1}'
    assert sse.data_of(sse.encode(b"{}", "error")) == b"{}"


def test_an_event_without_end_is_refused() -> None:
    splitter = sse.SseSplitter(cap=64)
    with pytest.raises(UpstreamBroken, match="64 bytes"):
        splitter.feed(b"data: " + b"x" * 100)


@given(st.lists(st.sampled_from([b"data: a\n\n", b"event: x\r\ndata: b\r\n\r\n", b": c\r\r"]), max_size=5))
def test_the_last_of_several_events_is_told_from_those_before(events: list[bytes]) -> None:
    assert sse.parted(b"".join(events)) == (b"".join(events[:-1]), b"".join(events[-1:]))
