"""Streams of typed events: however they are cut, the same comes out, and the last event waits for the end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gateway.endpoints.events import TypedEvents
from shared.errors import UpstreamBroken, UpstreamRefused
from tests.support.endpoint_provider import IMAGE_USAGE, event, image_events

LAST = frozenset(("image_generation.completed",))
WHOLE = b": hello\r\n\r\n" + b"".join(image_events())


def through(data: bytes, size: int) -> tuple[TypedEvents, bytes]:
    reader, out = TypedEvents(LAST), b""
    for at in range(0, len(data), size):
        out += reader.feed(data[at : at + size])
        if reader.done or reader.fault:
            return reader, out
    return reader, out + reader.end()


@given(st.integers(1, len(WHOLE)))
@settings(max_examples=60, deadline=None)
def test_it_does_not_matter_how_a_stream_is_cut(size: int) -> None:
    reader, out = through(WHOLE, size)
    assert (out, reader.done, reader.fault) == (WHOLE, True, None)
    assert reader.usage is not None
    assert (reader.usage.tokens_in, reader.usage.image_in, reader.usage.tokens_out) == (50, 40, 200)


@given(
    st.lists(st.binary(max_size=40) | st.sampled_from([WHOLE, b"data: ", b"\n\n", b'{"type":', b"[DONE]"]))
)
@settings(max_examples=200, deadline=None)
def test_anything_ends_as_a_stream_or_as_a_fault(pieces: list[bytes]) -> None:
    reader, _ = through(b"".join(pieces), 7)
    assert reader.done or reader.fault is not None


def test_the_last_event_waits_until_it_was_the_last() -> None:
    reader = TypedEvents(LAST)
    final = image_events()[-1]
    assert reader.feed(final) == b""
    assert reader.feed(final) == final
    assert reader.end() == final
    assert reader.usage is not None
    assert reader.usage.tokens_in == 2 * IMAGE_USAGE["input_tokens"]  # type: ignore[operator]


def test_a_stream_that_says_that_it_is_done_is_done() -> None:
    reader = TypedEvents(LAST)
    assert reader.feed(WHOLE + b"data: [DONE]\n\nmore").endswith(b"data: [DONE]\n\n")
    assert reader.done


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", UpstreamBroken),
        (b"data: x\n\n", UpstreamBroken),
        (image_events()[0], UpstreamBroken),
        (event("error", message="no"), UpstreamRefused),
        (b'data: {"error":{"message":"no"}}\n\n', UpstreamRefused),
    ],
)
def test_what_is_no_whole_stream_is_a_fault(data: bytes, fault: type[Exception]) -> None:
    reader, _ = through(data, 1_000)
    assert isinstance(reader.fault, fault)
