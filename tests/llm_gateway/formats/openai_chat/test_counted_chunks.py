"""Streams of providers that count with every chunk: a count says that nothing is missing only at the end."""

import pytest

from llm_gateway.chat.events import Begin, Collector, End, PartBegin, PartDelta, PartEnd
from llm_gateway.chat.parts import Text
from llm_gateway.chat.reply import Stop
from llm_gateway.formats.openai_chat.decode import ChatDecoder
from llm_gateway.formats.openai_chat.stream import OpenAIStream
from shared.errors import UpstreamBroken
from tests.support.providers import USAGE, chunk, event

COUNTING = chunk({"role": "assistant", "content": "Hel"}, extra={"usage": USAGE})


def test_a_stream_that_is_cut_is_not_taken_for_whole() -> None:
    reader = OpenAIStream(show_usage=False)
    reader.feed(COUNTING)
    assert b"[DONE]" not in reader.end()
    assert isinstance(reader.fault, UpstreamBroken)
    decoder = ChatDecoder()
    decoder.feed(COUNTING)
    with pytest.raises(UpstreamBroken):
        decoder.end()


@pytest.mark.parametrize(
    "last", [chunk({}, finish="stop", extra={"usage": USAGE}), event({"choices": [], "usage": USAGE})]
)
def test_one_that_has_said_its_last_word_is(last: bytes) -> None:
    reader, decoder = OpenAIStream(show_usage=False), ChatDecoder()
    reader.feed(COUNTING + last)
    reader.end()
    assert (reader.done, reader.fault) == (True, None)
    decoder.feed(COUNTING + last)
    assert isinstance(decoder.end()[-1], End)


def test_a_stream_without_an_end_is_not_collected_without_an_end() -> None:
    collector, piece = Collector(), "x" * 65_536
    collector.add(Begin(id="1", model="m"))
    collector.add(PartBegin(place=0, part=Text()))
    for _ in range(300):
        collector.add(PartDelta(place=0, text=piece))
    collector.add(PartEnd(place=0))
    collector.add(End(stop=Stop.END))
    assert not collector.complete
    assert sum(len(part.text) for part in collector.reply.parts if isinstance(part, Text)) < 17_000_000
