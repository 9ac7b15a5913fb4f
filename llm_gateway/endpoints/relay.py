"""An answer on its way out: in one piece, event by event or as bytes, the row durable before the last of
them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from llm_gateway.endpoints.attempt import Answer, Bytes, Events
from llm_gateway.endpoints.tab import Tab
from llm_gateway.told import NAME, line
from shared import sse
from shared.account import Flight
from shared.asgi import Exchange, Headers
from shared.dialects import Dialect
from shared.errors import GatestackError, UpstreamFault, UpstreamRefused
from shared.http_client import Reply

# What of a provider's headers a caller sees. Its rate limits are those of our account there.
_SHOWN = frozenset((b"x-request-id", b"openai-processing-ms", b"openai-version"))
# How long a provider that has said its last word is waited for, so that its connection can be used again.
_CLOSING_SECONDS = 1.0


class CutOnceStarted:
    """The caller's dialect before the first byte, silence after it: words of ours would be no sound and no
    image.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.refusal = dialect.refusal

    def event(self, error: GatestackError, request_id: str) -> bytes:
        return b""


async def relay(exchange: Exchange, flight: Flight, answer: Answer, tab: Tab) -> None:
    """Raises UpstreamFault when a stream fails on its way."""
    shown = [header for header in answer.reply.headers if header[0] in _SHOWN]
    content = answer.content
    if isinstance(content, Events):
        try:
            await _events(exchange, flight, content, shown, tab)
        except UpstreamRefused as error:
            error.body = answer.target.provider.redacted(error.body)
            raise
        return
    kind = [(b"content-type", answer.content_type), *shown]
    if isinstance(content, Bytes):
        flight.dialect = CutOnceStarted(flight.dialect)
        length = length_of(answer.reply)
        if length is not None:
            kind.append((b"content-length", str(length).encode()))
        await exchange.start(200, [*kind, _told(flight, tab, whole=False)])
        await stream_bytes(exchange, _all(content), length, tab.write)
        return
    tab.write()
    await exchange.reply(200, [*kind, _told(flight, tab, whole=True)], content.body)


async def stream_bytes(
    exchange: Exchange, chunks: AsyncIterator[bytes], length: int | None, last: Callable[[], None]
) -> None:
    """Bytes as they come; `last` runs before the last of them, which a length announces."""
    left = -1 if length is None else length
    async for chunk in chunks:
        left -= len(chunk)
        if left == 0:
            last()
            await exchange.finish(chunk)
            return
        await exchange.write(chunk)
    last()
    await exchange.finish()


def length_of(reply: Reply) -> int | None:
    length = reply.header("content-length") or ""
    return int(length) if length.isascii() and length.isdigit() else None


async def _all(content: Bytes) -> AsyncIterator[bytes]:
    yield content.first
    async for chunk in content.chunks:
        yield chunk


async def _events(exchange: Exchange, flight: Flight, events: Events, shown: Headers, tab: Tab) -> None:
    reader, chunks, ready = events.reader, events.chunks, events.first
    await exchange.start(200, [*sse.HEADERS, *shown, _told(flight, tab, whole=False)])
    while not reader.done:
        if ready:
            await exchange.write(ready)
        if reader.fault is not None:
            raise reader.fault
        chunk = await anext(chunks, None)
        ready = reader.feed(chunk) if chunk is not None else reader.end()
    # Only the last event waits for the row: what came along with it is read meanwhile.
    said, last = sse.parted(ready)
    if said:
        await exchange.write(said)
    tab.write()
    await exchange.finish(last)
    with contextlib.suppress(UpstreamFault, TimeoutError):
        async with asyncio.timeout(_CLOSING_SECONDS):
            async for _ in chunks:
                pass


def _told(flight: Flight, tab: Tab, *, whole: bool) -> tuple[bytes, bytes]:
    entry = flight.entry
    return NAME, line(
        model=entry.model,
        provider=entry.provider,
        attempts=entry.attempts,
        cache=entry.cache or "none",
        cost=entry.cost_micros if whole else None,
        overhead=(flight.elapsed_us() - (entry.upstream_us or tab.elapsed_us())) / 1000,
    )
