"""What becomes of an answer on its way to the caller: bytes as they are where both sides speak the same, else
through the neutral form, where guards can look at it too.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from llm_gateway.call import Call
from llm_gateway.chat.events import Begin, Collector, End, Event, PartDelta
from llm_gateway.chat.reply import Reply
from llm_gateway.formats import Decoder, StreamReader
from llm_gateway.formats.wires import WIRES
from llm_gateway.router.overflow import named
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused
from shared.ledger.entry import Usage

_BYTES_PER_TOKEN = 4
Read = TypeVar("Read")


class Whole:
    """An answer in one piece. `reply` is None where nobody had it taken apart."""

    __slots__ = ("body", "reply", "usage")

    def __init__(self, body: bytes, usage: Usage | None, reply: Reply | None = None) -> None:
        self.body = body
        self.usage = usage
        self.reply = reply


class Incoming(Protocol):
    """A streamed answer. Over where `done` or `fault` is set and what was returned has gone out. `usage` is
    the provider's own count, None until it came; `reply` all that was said, where somebody wants to keep
    that.
    """

    @property
    def usage(self) -> Usage | None: ...
    @property
    def done(self) -> bool: ...
    @property
    def fault(self) -> UpstreamFault | None: ...
    @property
    def reply(self) -> Reply | None: ...

    async def feed(self, chunk: bytes) -> bytes: ...

    async def end(self) -> bytes: ...

    def estimate(self) -> int: ...


async def whole(
    call: Call, wire: str, body: bytes, counted: Callable[[Usage | None], None], *, keep: bool
) -> Whole:
    """`body` as the caller gets it. `counted` is told what it has used before anybody may refuse it. Raises
    UpstreamBroken, UpstreamRefused, and what a guard raises.
    """
    spoken = call.spoken
    if wire == spoken.name and not call.inspection.watches_reply:
        usage = spoken.usage_of(body)
        counted(usage)
        return Whole(body, usage, _read(wire, body) if keep else None)
    reply = _translated(call, wire, WIRES[wire].reply, body)
    counted(reply.usage)
    if not reply.model:
        reply = msgspec.structs.replace(reply, model=call.ask.model)
    call.remember(reply)
    shown = await call.inspection.reply(reply) if call.inspection.watches_reply else reply
    return Whole(spoken.reply(shown, call.ask), reply.usage, shown)


def _read(wire: str, body: bytes) -> Reply | None:
    """A reply that passes as it is. One that cannot be taken apart is not kept, and no worse for that."""
    try:
        return WIRES[wire].reply(body)
    except UpstreamFault:
        return None


def incoming(call: Call, wire: str, *, keep: bool) -> Incoming:
    """`keep`: the whole reply is wanted at the end."""
    if wire == call.spoken.name and not call.inspection.watches_reply:
        return Passed(call.spoken.reader(call.ask), WIRES[wire].decoder() if keep else None)
    return Translated(call, wire)


class Passed:
    """The provider's own bytes, read along; `decoder` where the reply is to be kept."""

    def __init__(self, reader: StreamReader, decoder: Decoder | None) -> None:
        self._reader = reader
        self._decoder = decoder
        self._collector = Collector()

    @property
    def usage(self) -> Usage | None:
        return self._reader.usage

    @property
    def done(self) -> bool:
        return self._reader.done

    @property
    def fault(self) -> UpstreamFault | None:
        return self._reader.fault

    @property
    def reply(self) -> Reply | None:
        return self._collector.reply if self._collector.complete else None

    async def feed(self, chunk: bytes) -> bytes:
        if self._decoder is not None:
            self._take(self._decoder, chunk)
        return self._reader.feed(chunk)

    async def end(self) -> bytes:
        if self._decoder is not None:
            self._take(self._decoder, None)
        return self._reader.end()

    def estimate(self) -> int:
        return self._reader.estimate()

    def _take(self, decoder: Decoder, chunk: bytes | None) -> None:
        try:
            for event in decoder.feed(chunk) if chunk is not None else decoder.end():
                self._collector.add(event)
        except UpstreamFault:
            # Whoever reads the bytes says what is wrong with them; nothing of it is kept.
            self._decoder, self._collector = None, Collector()


class Translated:
    """The provider's events, looked at by guards, in the caller's words."""

    def __init__(self, call: Call, wire: str) -> None:
        self.done = False
        self.fault: UpstreamFault | None = None
        self._usage: Usage | None = None
        self._call = call
        self._wire = wire
        self._decoder = WIRES[wire].decoder()
        self._writer = call.spoken.writer(call.ask)
        self._collector = Collector()
        self._said = 0

    @property
    def usage(self) -> Usage | None:
        """Of a stream that has not come to its end: the input as it was counted, the output at least as it
        was seen.
        """
        if self._usage is None or self.done:
            return self._usage
        return msgspec.structs.replace(self._usage, tokens_out=max(self._usage.tokens_out, self.estimate()))

    @property
    def reply(self) -> Reply | None:
        return self._collector.reply if self._collector.complete else None

    async def feed(self, chunk: bytes) -> bytes:
        try:
            events = _translated(self._call, self._wire, self._decoder.feed, chunk)
        except UpstreamFault as error:
            self.fault = error
            return b""
        return await self._out(events) if events else b""

    async def end(self) -> bytes:
        try:
            events = self._decoder.end()
        except UpstreamFault as error:
            self.fault = error
            return b""
        out = await self._out(events)
        if not self.done:
            self.fault = UpstreamBroken("the provider's stream ended before it was complete")
        return out

    def estimate(self) -> int:
        return self._said // _BYTES_PER_TOKEN

    async def _out(self, events: list[Event]) -> bytes:
        events = [self._noted(event) for event in events]
        inspection = self._call.inspection
        if inspection.watches_reply:
            events = await inspection.feed(events)
            if self.done:
                events += await inspection.end()
        written = []
        for event in events:
            self._collector.add(event)
            written.append(self._writer.write(event))
        if self.done and self._collector.complete:
            self._call.remember(self._collector.reply)
        return b"".join(written)

    def _noted(self, event: Event) -> Event:
        if isinstance(event, PartDelta):
            self._said += len(event.text)
        elif isinstance(event, End):
            self._usage, self.done = event.usage or self._usage, True
        elif isinstance(event, Begin):
            self._usage = event.usage
            # Some providers do not say who they are.
            return msgspec.structs.replace(event, model=event.model or self._call.ask.model)
        return event


def _translated(call: Call, wire: str, read: Callable[[bytes], Read], data: bytes) -> Read:
    """What `read` makes of `data`. An error in another format than the caller's is told in our own words."""
    try:
        return read(data)
    except UpstreamRefused as error:
        if wire != call.spoken.name:
            named(error)
            error.body = b""
        raise
