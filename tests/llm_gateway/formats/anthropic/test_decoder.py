"""A provider's stream as neutral events, however its bytes are cut and whatever they are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gateway.chat.events import Begin, End, Event, PartBegin, PartDelta, PartEnd
from llm_gateway.chat.parts import Foreign, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Stop
from llm_gateway.formats.anthropic.decoder import AnthropicDecoder, read_whole
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused
from shared.ledger.entry import Usage
from tests.llm_gateway.formats.anthropic.samples import collected, cut_up, decoded
from tests.support.anthropic_provider import (
    PING,
    block,
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
from tests.support.providers import REAL_MODEL, Json

SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
QUERY: list[Json] = [{"type": "input_json_delta", "partial_json": piece} for piece in ('{"q":', '"x"}')]
CITED: Json = {"type": "citations_delta", "citation": {"type": "char_location", "cited_text": "x"}}
CITING: Json = {"type": "text", "text": "", "citations": []}
WHOLE = events(
    thinking_block(0, "Let ", "me see"),
    block(1, SEARCH, *QUERY),
    block(
        2,
        CITING,
        {"type": "text_delta", "text": "a\N{SNOWMAN}"},
        CITED,
        {"type": "text_delta", "text": "b"},
        CITED,
    ),
    tool_block(3, "toolu_1", "find", '{"a":', "1}"),
    tool_block(4, "toolu_2", "now"),
    stop="tool_use",
)
PARTS = (
    Thinking(text="Let me see", signature="c2ln", origin="anthropic"),
    Foreign(origin="anthropic", kind="server_tool_use", value={**SEARCH, "input": {"q": "x"}}),
    Text(text="a\N{SNOWMAN}b"),
    Foreign(origin="anthropic", kind="text.citations", value={"citations": [CITED["citation"]] * 2}),
    ToolCall(id="toolu_1", name="find", arguments='{"a":1}'),
    ToolCall(id="toolu_2", name="now", arguments="{}"),
)


def in_order(found: list[Event]) -> bool:
    """Whether a writer can rely on them: one part at a time, places counting up from 0, the end at the
    end.
    """
    place, is_open = -1, False
    for each in found[1:-1]:
        if isinstance(each, PartBegin):
            assert not is_open
            place, is_open = place + 1, True
            assert each.place == place
        else:
            assert isinstance(each, PartDelta | PartEnd)
            assert is_open
            assert each.place == place
            is_open = not isinstance(each, PartEnd)
    return isinstance(found[0], Begin) and isinstance(found[-1], End) and not is_open


@settings(deadline=None)
@given(st.lists(st.integers(0, 10_000), max_size=12), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_a_stream_is_the_same_however_it_arrives(borders: list[int], newline: bytes) -> None:
    sent = b"".join(item.replace(b"\n", newline) for item in WHOLE)
    found = decoded(cut_up(sent, borders))
    assert in_order(found)
    reply = collected(found)
    assert reply.parts == PARTS
    assert (reply.stop, reply.model) == (Stop.TOOLS, REAL_MODEL)
    assert reply.usage == Usage(tokens_in=20, tokens_out=8, cached=12, cache_write=2, reasoning=3)


def test_a_stream_is_read_in_two_parts_wherever_it_is_cut() -> None:
    sent = b"".join(WHOLE)
    for border in range(1, len(sent)):
        assert collected(decoded([sent[:border], sent[border:]])).parts == PARTS


def test_a_stream_that_is_cut_before_it_says_why_it_stops_is_broken() -> None:
    sent = b"".join(WHOLE[:-2])
    for border in range(len(sent)):
        with pytest.raises(UpstreamBroken):
            decoded([sent[:border]])


def test_a_stream_that_lacks_only_its_last_event_is_whole() -> None:
    assert collected(decoded(WHOLE[:-1])).parts == PARTS
    assert collected(decoded([*WHOLE[:-2], WHOLE[-2].rstrip(b"\n")])).parts == PARTS


def test_events_are_not_held_back() -> None:
    decoder = AnthropicDecoder()
    assert decoder.feed(start()) == [
        Begin(
            id="msg_01XFDUDYJgAACzvnptvVoYEL",
            model=REAL_MODEL,
            usage=Usage(tokens_in=20, tokens_out=1, cached=12, cache_write=2),
        )
    ]
    begun, said, _ = text_block(0, "a")
    assert decoder.feed(begun) == [PartBegin(place=0, part=Text())]
    assert decoder.feed(said) == [PartDelta(place=0, text="a")]


def test_a_block_that_nobody_ended_ends_with_the_next() -> None:
    found = decoded([start(), *text_block(0, "a")[:-1], *text_block(1, "b")[:-1], *finish()])
    assert in_order(found)
    assert collected(found).parts == (Text(text="a"), Text(text="b"))


def test_a_call_whose_input_comes_at_once_is_whole() -> None:
    call = {"type": "tool_use", "id": "1", "name": "find", "input": {"a": 1}}
    assert collected(decoded(events(block(0, call)))).parts == (
        ToolCall(id="1", name="find", arguments='{"a":1}'),
    )


def test_what_comes_after_the_end_is_not_looked_at() -> None:
    decoder = AnthropicDecoder()
    found = decoder.feed(b"".join(WHOLE) + b"data: garbage\n\n")
    assert isinstance(found[-1], End)
    assert decoder.feed(error_event()) == []
    assert decoder.end() == []


@pytest.mark.parametrize("before", [[], [start()], [start(), *text_block(0, "a")]], ids=len)
def test_an_error_in_the_stream_is_a_refusal(before: list[bytes]) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        decoded([*before, error_event()])
    assert caught.value.upstream_status == 529
    assert b"Overloaded" in caught.value.body


@pytest.mark.parametrize(
    "parts",
    [
        [b"data: hello\n\n"],
        [b"data: [1]\n\n"],
        [event("message_start")],
        [event("message_start", message=7)],
        [start(), start()],
        text_block(0, "a"),
        [start(), text_block(0, "a")[1]],
        [start(), text_block(0, "a")[0], text_block(1, "a")[1]],
        [start(), *block(0, {"type": "text", "text": ""}, *QUERY)],
        [start(), *block(0, {"type": "text"})],
        [start(), *block(0, {"type": "tool_use", "id": 1, "name": "a", "input": {}})],
        [start(), *block(0, {})],
        [start(), *block(0, SEARCH, *QUERY[:1])],
    ],
)
def test_something_else_than_a_message_is_broken(parts: list[bytes]) -> None:
    with pytest.raises(UpstreamBroken):
        decoded([*parts, *finish()])


def test_what_is_unknown_is_passed_over() -> None:
    unknown: Json = {"type": "wink_delta", "wink": 1}
    parts = [
        PING,
        start(),
        event("wink"),
        *block(0, {"type": "text", "text": "a"}, unknown),
        *finish("winked"),
    ]
    reply = collected(decoded(parts))
    assert (reply.parts, reply.stop) == ((Text(text="a"),), Stop.END)


@settings(deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(WHOLE)), max_size=14))
def test_no_bytes_of_a_providers_make_it_raise_anything_but_a_fault(parts: list[bytes]) -> None:
    try:
        decoded(parts)
    except UpstreamFault:
        return


@settings(deadline=None)
@given(st.integers(0, 4_000), st.binary(min_size=1, max_size=4), st.sampled_from([b"", *WHOLE]))
def test_nor_does_a_stream_with_a_few_bytes_changed(place: int, change: bytes, extra: bytes) -> None:
    sent = b"".join(WHOLE)
    try:
        decoded([sent[:place] + change + extra + sent[place + len(change) :]])
    except UpstreamFault:
        return


@settings(deadline=None)
@given(st.integers(0, 600), st.binary(min_size=1, max_size=4))
def test_nor_does_a_reply_with_a_few_bytes_changed(place: int, change: bytes) -> None:
    body = message_body(
        {"type": "text", "text": "a"}, SEARCH, {"type": "tool_use", "id": "1", "name": "a", "input": {"a": 1}}
    )
    try:
        read_whole(body[:place] + change + body[place + len(change) :])
    except UpstreamFault:
        return


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"type":"message"}',
        b'{"type":"message","content":[{}]}',
        b'{"type":"message","content":5}',
        b"[" * 10_000,
    ],
    ids=repr,
)
def test_what_is_no_reply_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        read_whole(body)


def test_an_error_in_place_of_a_reply_is_a_refusal() -> None:
    with pytest.raises(UpstreamRefused) as caught:
        read_whole(error_body("rate_limit_error"))
    assert caught.value.upstream_status == 429
