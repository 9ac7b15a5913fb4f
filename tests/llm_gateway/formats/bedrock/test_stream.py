"""Bedrock's streams as neutral events, cut anywhere."""

from typing import Any

import pytest

from llm_gateway.chat.events import Begin, Collector, End, Event, PartBegin, PartDelta, PartEnd
from llm_gateway.chat.parts import Image, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused
from shared.ledger.entry import Usage
from tests.llm_gateway.formats.bedrock.samples import WIRE
from tests.support.bedrock_provider import closing, delta, event, exception, frame, reply_body, text_events

COUNTED = Usage(tokens_in=20, tokens_out=8, cached=12, cache_write=3)


def stop(index: int) -> bytes:
    return event("contentBlockStop", {"contentBlockIndex": index})


def tool_start(index: int, id: str) -> bytes:
    start = {"toolUse": {"toolUseId": id, "name": "weather"}}
    return event("contentBlockStart", {"contentBlockIndex": index, "start": start})


RICH = [
    event("messageStart", {"role": "assistant", "p": "abcdefgh"}),
    delta(0, {"reasoningContent": {"text": "h"}}),
    delta(0, {"reasoningContent": {"text": "m"}}),
    delta(0, {"reasoningContent": {"signature": "c2ln"}}),
    stop(0),
    delta(1, {"reasoningContent": {"redactedContent": "cmVk"}}),
    stop(1),
    delta(2, {"text": "So: "}),
    delta(2, {"text": "two calls"}),
    stop(2),
    tool_start(3, "t-1"),
    delta(3, {"toolUse": {"input": '{"city":'}}),
    delta(3, {"toolUse": {"input": '"Rome"}'}}),
    stop(3),
    tool_start(4, "t-2"),
    delta(4, {"toolUse": {"input": '{"city":"Oslo"}'}}),
    stop(4),
    *closing("tool_use"),
]
PARTS = (
    Thinking(text="hm", signature="c2ln", origin="bedrock"),
    Thinking(signature="cmVk", origin="bedrock", redacted=True),
    Text(text="So: two calls"),
    ToolCall(id="t-1", name="weather", arguments='{"city":"Rome"}'),
    ToolCall(id="t-2", name="weather", arguments='{"city":"Oslo"}'),
)


def decoded(*chunks: bytes) -> list[Event]:
    decoder = WIRE.decoder()
    found = [event for chunk in chunks for event in decoder.feed(chunk)]
    return [*found, *decoder.end()]


def collected(events: list[Event]) -> Reply:
    collector = Collector()
    for each in events:
        collector.add(each)
    assert collector.complete
    return collector.reply


def test_a_text_event_by_event() -> None:
    assert decoded(*text_events(["Hel", "lo"])) == [
        Begin(id="", model=""),
        PartBegin(place=0, part=Text()),
        PartDelta(place=0, text="Hel"),
        PartDelta(place=0, text="lo"),
        PartEnd(place=0),
        End(stop=Stop.END, usage=COUNTED),
    ]


def test_thoughts_text_and_parallel_calls() -> None:
    reply = collected(decoded(*RICH))
    assert (reply.parts, reply.stop, reply.usage) == (PARTS, Stop.TOOLS, COUNTED)


def test_places_count_up_and_only_one_is_open() -> None:
    open_place, last = None, -1
    for each in decoded(*RICH):
        if isinstance(each, PartBegin):
            assert (open_place, each.place) == (None, last + 1)
            open_place = last = each.place
        elif isinstance(each, PartDelta | PartEnd):
            assert each.place == open_place
            open_place = None if isinstance(each, PartEnd) else open_place


@pytest.mark.parametrize("size", [1, 2, 5, 13, 64, 1000])
def test_it_is_the_same_however_it_is_cut(size: int) -> None:
    data = b"".join(RICH)
    assert decoded(*(data[at : at + size] for at in range(0, len(data), size))) == decoded(*RICH)


def test_a_stream_says_what_a_whole_reply_says() -> None:
    said: list[dict[str, Any]] = [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "cmVk"}},
        {"text": "So: two calls"},
        {"toolUse": {"toolUseId": "t-1", "name": "weather", "input": {"city": "Rome"}}},
        {"toolUse": {"toolUseId": "t-2", "name": "weather", "input": {"city": "Oslo"}}},
    ]
    assert collected(decoded(*RICH)) == WIRE.reply(reply_body(*said, reason="tool_use"))


def test_ending_at_any_byte_before_the_stop_is_a_break() -> None:
    data = b"".join(text_events(["Hi"]))
    usage = len(data) - len(closing("end_turn")[1])
    for end in range(len(data)):
        decoder = WIRE.decoder()
        decoder.feed(data[:end])
        if end == usage:
            assert decoder.end()[-1] == End(stop=Stop.END)
        else:
            with pytest.raises(UpstreamBroken, match="before it was complete"):
                decoder.end()


def test_no_usage_still_is_an_end() -> None:
    assert decoded(*text_events(["Hi"], usage=None))[-1] == End(stop=Stop.END)


def test_images_come_in_one_piece() -> None:
    start = event("contentBlockStart", {"contentBlockIndex": 0, "start": {"image": {"format": "png"}}})
    pieces = [delta(0, {"image": {"source": {"bytes": piece}}}) for piece in ("iVBO", "Rw0K")]
    reply = collected(decoded(start, *pieces, stop(0), *closing("end_turn")))
    assert reply.parts == (Image(media_type="image/png", data="iVBORw0K"),)


def test_blocks_that_are_not_closed_are_closed_by_what_follows() -> None:
    reply = collected(
        decoded(delta(0, {"text": "a"}), tool_start(1, "t"), delta(2, {"text": "b"}), *closing("end_turn"))
    )
    assert reply.parts == (Text(text="a"), ToolCall(id="t", name="weather"), Text(text="b"))


def test_a_call_without_arguments() -> None:
    reply = collected(decoded(tool_start(0, "t"), stop(0), *closing("tool_use")))
    assert reply.parts == (ToolCall(id="t", name="weather"),)


def test_events_and_pieces_of_no_known_kind_are_passed_over() -> None:
    strange = [
        event("somethingNew", {"a": 1}),
        frame({}, b"not json"),
        delta(0, {"citation": {"title": "x"}}),
    ]
    assert collected(decoded(*strange, *text_events(["Hi"]))).parts == (Text(text="Hi"),)


def test_which_sequence_stopped_it() -> None:
    said = {"stopReason": "stop_sequence", "additionalModelResponseFields": {"stop_sequence": "END"}}
    assert decoded(event("messageStop", said))[-1] == End(stop=Stop.SEQUENCE, stop_sequence="END")


def test_nothing_follows_the_end() -> None:
    assert decoded(*text_events(["a"]), *text_events(["b"])) == decoded(*text_events(["a"]))


@pytest.mark.parametrize(
    ("kind", "status", "retryable"),
    [
        ("throttlingException", 429, True),
        ("modelStreamErrorException", 424, True),
        ("internalServerException", 500, True),
        ("serviceUnavailableException", 503, True),
        ("modelTimeoutException", 408, True),
        ("validationException", 400, False),
        ("somethingNewException", 502, True),
    ],
)
def test_exceptions_in_the_stream(kind: str, status: int, retryable: bool) -> None:
    decoder = WIRE.decoder()
    decoder.feed(text_events(["a"])[0])
    with pytest.raises(UpstreamRefused) as caught:
        decoder.feed(exception(kind, "too hot"))
    assert (caught.value.upstream_status, caught.value.retryable) == (status, retryable)
    assert ("too hot" in caught.value.detail) is (status == 400)


def test_errors_without_an_exception() -> None:
    head = {":message-type": "error", ":error-code": "InternalError", ":error-message": "boom"}
    with pytest.raises(UpstreamRefused, match="InternalError"):
        decoded(frame(head, b""))


@pytest.mark.parametrize(
    "broken",
    [
        event("messageStop", {"stopReason": "malformed_tool_use"}),
        delta(3, {"toolUse": {"input": "{}"}}),
        event("contentBlockDelta", {"delta": {"text": 7}}),
        frame({":event-type": "metadata", ":message-type": "event"}, b"{"),
        b"HTTP/1.1 500 Internal Server Error\r\n\r\n",
    ],
    ids=["malformed", "never begun", "wrong type", "no json", "no frame"],
)
def test_what_makes_no_sense_breaks_the_stream(broken: Any) -> None:
    with pytest.raises(UpstreamFault) as caught:
        decoded(broken)
    assert isinstance(caught.value, UpstreamBroken)
