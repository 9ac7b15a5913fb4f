"""Replies of providers that speak Anthropic's format, whole or streamed: watched for usage, errors and the
end, and left as they are.
"""

import re

import msgspec
from msgspec import Raw, Struct

from llm_gateway.formats.anthropic.faults import refused
from llm_gateway.formats.anthropic.named import data_of, named
from llm_gateway.formats.anthropic.usage import WireUsage, read_usage, usage_of
from shared import sse
from shared.errors import UpstreamBroken, UpstreamFault
from shared.ledger.entry import Usage

# Only events whose name holds one of these say more than a piece of content does.
_TELLING = re.compile(rb"message_|error")
_STOP = named("message_stop")
_BYTES_PER_TOKEN = 4
# By how many bytes events of one token differ.
_ORDINARY = 48


class _Message(Struct, frozen=True):
    usage: Raw = Raw()


class _Event(Struct, frozen=True):
    type: str
    message: _Message = _Message()
    usage: Raw = Raw()


class _Reply(Struct, frozen=True):
    type: str
    content: list[Raw] | None = None
    usage: Raw = Raw()


_event = msgspec.json.Decoder(_Event).decode
_reply = msgspec.json.Decoder(_Reply).decode


class AnthropicStream:
    """Reads along. Chunks that are nothing but content pass without being taken apart.

    The input is counted with the first event, the output only near the end: until then `usage` says at least
    what has gone by.
    """

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.done = False
        self.fault: UpstreamFault | None = None
        self._splitter = sse.SseSplitter()
        self._begun = False
        self._counted: WireUsage | None = None
        self._final = False
        self._events = 0
        self._smallest = 1 << 30
        self._beyond = 0

    def feed(self, chunk: bytes) -> bytes:
        if self._begun and _plain(chunk) and self._splitter.empty:
            self._count(chunk.count(b"\n\n"), len(chunk))
            return chunk
        kept = []
        try:
            for event in self._splitter.feed(chunk):
                self._look(event)
                kept.append(event)
                if self.done:
                    break
        except UpstreamFault as error:
            self.fault = error
        return b"".join(kept)

    def end(self) -> bytes:
        out = self.feed(b"\n\n") if _whole(self._splitter.rest()) else b""
        if self.done or self.fault is not None:
            return out
        if not self._final:
            self.fault = UpstreamBroken("the provider's stream ended before it was complete")
            return out
        # It has said why it stopped and what it used: nothing is missing but the last word.
        self.done = True
        return out + _STOP

    def estimate(self) -> int:
        return self._events + self._beyond // _BYTES_PER_TOKEN

    def _look(self, event: bytes) -> None:
        data = data_of(event)
        if not data:
            return
        if self._begun and not _TELLING.search(event):
            self._count(1, len(event))
            return
        said = _read(data)
        if said.type == "error":
            raise refused(data, data)
        if said.type == "message_start":
            self._begun = True
            self._counted = read_usage(said.message.usage)
            self.usage = self._counted.neutral if self._counted is not None else None
        elif not self._begun and said.type != "ping":
            raise UpstreamBroken("the provider's stream does not begin with a message")
        elif said.type == "message_delta":
            self._add(said.usage)
        elif said.type == "message_stop":
            self.done = True
        else:
            self._count(1, len(event))

    def _add(self, raw: Raw) -> None:
        later = read_usage(raw)
        if later is not None and later.output_tokens is not None:
            self._counted = (self._counted or WireUsage()).joined(later)
            self.usage = self._counted.neutral
            self._final = True

    def _count(self, events: int, size: int) -> None:
        """An event is a token; what makes it much longer than the shortest one is text of several more."""
        self._events += events
        self._smallest = min(self._smallest, size // events)
        self._beyond += max(0, size - events * (self._smallest + _ORDINARY))
        if self.usage is not None and not self._final:
            self.usage.tokens_out = max(self.usage.tokens_out, self.estimate())


def read_reply(body: bytes) -> Usage | None:
    """The usage in a whole reply. Raises UpstreamRefused when it is an error, UpstreamBroken when it is none
    of both.
    """
    try:
        reply = _reply(body)
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken("the provider's answer is no message", cause=error) from error
    if reply.type == "error":
        raise refused(body)
    if reply.content is None:
        raise UpstreamBroken("the provider's answer is no message")
    return usage_of(reply.usage)


def _plain(chunk: bytes) -> bool:
    """Whether `chunk` is whole events, all of them pieces of content."""
    return chunk.endswith(b"\n\n") and not _TELLING.search(chunk)


def _whole(rest: bytes) -> bool:
    """Whether what a provider left behind is an event that lacks nothing but the line after it."""
    try:
        return bool(_event(data_of(rest + b"\n\n")))
    except (ValueError, RecursionError):
        return False


def _read(data: bytes) -> _Event:
    try:
        return _event(data)
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken("the provider's stream holds something that is no event", cause=error) from error
