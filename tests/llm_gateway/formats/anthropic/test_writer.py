"""Neutral events and replies in Anthropic's words: what a client can rely on."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gateway.chat.events import Begin, End, Event, PartBegin, PartDelta, PartEnd, events_of
from llm_gateway.chat.parts import AnyPart, Audio, Foreign, Image, Refusal, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from shared import sse
from shared.ledger.entry import Usage
from tests.llm_gateway.formats.anthropic.replies import OTHERS, OWN, reply
from tests.llm_gateway.formats.anthropic.samples import FORMAT, asked, chat_of, collected, decoded, written
from tests.support.providers import Json

words = st.text(st.characters(codec="utf-8"), max_size=8)
parts: st.SearchStrategy[AnyPart] = st.one_of(
    st.builds(Text, text=words),
    st.builds(Refusal, text=words),
    st.builds(Thinking, text=words, signature=words, origin=st.sampled_from(["anthropic", "gemini", ""])),
    st.builds(Thinking, signature=words, origin=st.just("anthropic"), redacted=st.just(True)),
    st.builds(
        ToolCall,
        id=words,
        name=words,
        arguments=st.sampled_from(["", "{}", '{"a": 1}', '{"a', "[1]"]),
        signature=words,
        origin=st.sampled_from(["", "gemini"]),
        custom=st.booleans(),
    ),
    st.builds(Image, data=st.just("x")),
    st.builds(Audio, media_type=st.just("audio/wav"), data=st.just("x")),
    st.builds(
        Foreign, origin=st.sampled_from(["anthropic", "gemini"]), kind=words, value=st.just({"type": "wink"})
    ),
    st.builds(
        Foreign,
        origin=st.just("anthropic"),
        kind=st.just("text.citations"),
        value=st.just({"citations": [{"type": "x"}]}),
    ),
)
replies = st.builds(
    Reply,
    id=words,
    model=words,
    parts=st.lists(parts, max_size=5).map(tuple),
    stop=st.sampled_from(Stop),
    usage=st.none() | st.builds(Usage, tokens_in=st.integers(0, 99), tokens_out=st.integers(0, 99)),
)


def said(stream: bytes) -> list[Json]:
    found: list[Json] = [msgspec.json.decode(sse.data_of(event)) for event in sse.SseSplitter().feed(stream)]
    return found


@settings(deadline=None)
@given(replies)
def test_every_stream_is_one_that_can_be_read_again(neutral: Reply) -> None:
    stream = written(list(events_of(neutral)))
    found = said(stream)
    assert [event["type"] for event in found[-2:]] == ["message_delta", "message_stop"]
    begun = [event["index"] for event in found if event["type"] == "content_block_start"]
    ended = [event["index"] for event in found if event["type"] == "content_block_stop"]
    assert begun == ended == list(range(len(begun)))
    assert len(collected(decoded([stream])).parts) >= len(begun)


@settings(deadline=None)
@given(replies)
def test_whole_and_streamed_are_the_same_reply(neutral: Reply) -> None:
    whole = msgspec.json.decode(FORMAT.reply(neutral, asked()))
    streamed = said(written(list(events_of(neutral))))
    begun = [event["content_block"]["type"] for event in streamed if event["type"] == "content_block_start"]
    assert begun == [block["type"] for block in whole["content"]]
    assert streamed[-2]["delta"]["stop_reason"] == whole["stop_reason"]


@pytest.mark.parametrize("case", OWN)
def test_what_is_written_is_read_again(case: str) -> None:
    assert collected(decoded([written(list(events_of(OWN[case])))])) == OWN[case]


def test_every_event_has_its_name() -> None:
    for event in sse.SseSplitter().feed(written(list(events_of(OWN["parallel_tools"])))):
        name = event.split(b"\n", 1)[0].removeprefix(b"event: ").decode()
        assert name == msgspec.json.decode(sse.data_of(event))["type"]


def test_words_go_out_as_they_come() -> None:
    writer = FORMAT.writer(asked())
    assert writer.write(Begin(id="1", model="m"))
    assert b'"text":""' in writer.write(PartBegin(place=0, part=Text()))
    assert b'"text":"Hel"' in writer.write(PartDelta(place=0, text="Hel"))
    assert writer.write(PartDelta(place=0)) == b""


def test_the_input_is_told_at_once_where_it_is_known_and_guessed_where_it_is_not() -> None:
    counted = said(FORMAT.writer(asked()).write(Begin(id="1", model="m", usage=Usage(tokens_in=9, cached=4))))
    assert counted[0]["message"]["usage"]["input_tokens"] == 5
    guessed = said(FORMAT.writer(asked(system="x" * 400)).write(Begin(id="1", model="m")))
    assert guessed[0]["message"]["usage"]["input_tokens"] >= 100


def test_what_nobody_counted_is_guessed() -> None:
    found = said(written(list(events_of(reply(Text(text="x" * 40), usage=None)))))
    assert found[-2]["usage"]["output_tokens"] == 10


def test_without_names_of_their_own_replies_get_some() -> None:
    body = msgspec.json.decode(FORMAT.reply(OTHERS["uncounted"], asked()))
    assert body["id"].startswith("msg_")
    assert body["model"] == "fast"
    assert body["usage"]["output_tokens"] == 0
    assert said(written([Begin(id="", model="")]))[0]["message"]["model"] == "fast"


def test_a_part_that_holds_something_at_its_beginning_shows_it() -> None:
    events: list[Event] = [
        Begin(id="1", model="m"),
        PartBegin(place=0, part=ToolCall(id="1", name="a", arguments='{"a":')),
        PartDelta(place=0, text="1}"),
        PartEnd(place=0),
        PartBegin(place=1, part=Thinking(text="Hm", signature="s", origin="anthropic")),
        PartEnd(place=1),
        End(stop=Stop.TOOLS),
    ]
    assert collected(decoded([written(events)])).parts == (
        ToolCall(id="1", name="a", arguments='{"a":1}'),
        Thinking(text="Hm", signature="s", origin="anthropic"),
    )


def test_other_providers_signatures_come_back_with_what_the_client_echoes() -> None:
    neutral = OTHERS["foreign_thoughts"]
    echoed = msgspec.json.decode(FORMAT.reply(neutral, asked()))["content"]
    chat = chat_of(messages=[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": echoed}])
    assert chat.messages[1].parts == neutral.parts[:3]


def test_what_the_format_has_no_place_for_is_said_in_words() -> None:
    [block] = msgspec.json.decode(FORMAT.reply(reply(Image(data="x")), asked()))["content"]
    assert block["type"] == "text"
    assert "image" in block["text"]
