"""A provider's replies in Anthropic's format, whole or streamed, as neutral ones."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from llm_gateway.chat.events import Begin, End, Event
from llm_gateway.chat.reply import Reply
from llm_gateway.formats.anthropic.blocks import Block, Misread, parts_of
from llm_gateway.formats.anthropic.faults import refused
from llm_gateway.formats.anthropic.incoming_block import Delta, IncomingBlock
from llm_gateway.formats.anthropic.named import data_of
from llm_gateway.formats.anthropic.stops import read_stop
from llm_gateway.formats.anthropic.usage import WireUsage, read_usage, usage_of
from shared import sse
from shared.errors import UpstreamBroken


class _Message(Struct, frozen=True):
    type: str
    id: str = ""
    model: str = ""
    content: list[Block] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Raw = Raw()


class _Event(Struct, frozen=True):
    type: str
    index: int = 0
    message: _Message | None = None
    content_block: dict[str, Any] | None = None
    delta: Delta | None = None
    usage: Raw = Raw()


_message = msgspec.json.Decoder(_Message).decode
_event = msgspec.json.Decoder(_Event).decode


def read_whole(body: bytes) -> Reply:
    """Raises UpstreamBroken when that is no reply, UpstreamRefused when it is an error."""
    try:
        message = _message(body)
        if message.type == "error":
            raise refused(body, body)
        parts = parts_of(message.content, "content") if message.content is not None else None
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken("the provider's answer is no message", cause=error) from error
    if parts is None:
        raise UpstreamBroken("the provider's answer is no message")
    return Reply(
        id=message.id,
        model=message.model,
        parts=tuple(parts),
        stop=read_stop(message.stop_reason),
        stop_sequence=message.stop_sequence or "",
        usage=usage_of(message.usage),
    )


class AnthropicDecoder:
    """One stream. What comes after its end is not looked at."""

    def __init__(self) -> None:
        self._splitter = sse.SseSplitter()
        self._begun = False
        self._over = False
        self._places = 0
        self._block: IncomingBlock | None = None
        self._counted: WireUsage | None = None
        self._stop: Delta | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        found: list[Event] = []
        if self._over:
            return found
        for event in self._splitter.feed(chunk):
            data = data_of(event)
            if data and not self._over:
                found += self._read(data)
        return found

    def end(self) -> list[Event]:
        """A stream that has said why it stopped lacks nothing but its last event."""
        found = [] if self._splitter.empty else self.feed(b"\n\n")
        if self._over:
            return found
        if self._stop is None:
            raise UpstreamBroken("the provider's stream ended before it was complete")
        return found + self._finished()

    def _read(self, data: bytes) -> list[Event]:
        try:
            said = _event(data)
            if said.type == "error":
                raise refused(data, data)
            return self._said(said)
        except Misread as error:
            raise UpstreamBroken("the provider's stream holds a block that is none", cause=error) from error
        except (ValueError, RecursionError) as error:
            raise UpstreamBroken(
                "the provider's stream holds something that is no event", cause=error
            ) from error

    def _said(self, said: _Event) -> list[Event]:
        if said.type == "content_block_delta" and said.delta is not None:
            return self._open(said.index).add(said.delta)
        if said.type == "message_start":
            return [self._begin(said.message)]
        if said.type == "ping":
            return []
        if not self._begun:
            raise UpstreamBroken("the provider's stream does not begin with a message")
        match said.type:
            case "content_block_start" if said.content_block is not None:
                return [*self._closed(), *self._opened(said.index, said.content_block)]
            case "content_block_stop":
                return self._closed()
            case "message_delta":
                self._told(said)
            case "message_stop":
                return self._finished()
        return []

    def _begin(self, message: _Message | None) -> Event:
        if message is None or self._begun:
            raise UpstreamBroken("the provider's stream begins with no message, or twice")
        self._begun = True
        self._counted = read_usage(message.usage)
        usage = self._counted.neutral if self._counted is not None else None
        return Begin(id=message.id, model=message.model, usage=usage)

    def _opened(self, index: int, block: Block) -> list[Event]:
        self._block = IncomingBlock(index, self._places, block)
        return self._block.begin()

    def _open(self, index: int) -> IncomingBlock:
        if self._block is None or self._block.index != index:
            raise UpstreamBroken("the provider's stream adds to a block that is not open")
        return self._block

    def _closed(self) -> list[Event]:
        block, self._block = self._block, None
        if block is None:
            return []
        found = block.end()
        self._places += block.places
        return found

    def _told(self, said: _Event) -> None:
        later = read_usage(said.usage)
        if later is not None:
            self._counted = (self._counted or WireUsage()).joined(later)
        if said.delta is not None and (said.delta.stop_reason is not None or self._stop is None):
            self._stop = said.delta

    def _finished(self) -> list[Event]:
        found, stop = self._closed(), self._stop or Delta()
        self._over = True
        usage = self._counted.neutral if self._counted is not None else None
        end = End(stop=read_stop(stop.stop_reason), stop_sequence=stop.stop_sequence or "", usage=usage)
        return [*found, end]
