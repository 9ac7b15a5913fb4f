"""An answer on its way out: bytes as they come, whole events at a time, the row durable before the last of
them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from llm_gateway.answer import Answer, Stream
from llm_gateway.bill import Bill
from llm_gateway.chat.reply import Reply
from llm_gateway.told import told
from shared import sse
from shared.account import Flight
from shared.asgi import Exchange, Headers
from shared.errors import UpstreamFault, UpstreamRefused

Keep = Callable[[Reply], Awaitable[None]]

# What of a provider's headers a caller sees. Its rate limits are those of our account there, not the
# caller's.
_SHOWN = frozenset((b"x-request-id", b"request-id", b"openai-processing-ms", b"openai-version"))
_JSON = (b"content-type", b"application/json")
# How long a provider that has said its last word is waited for, so that its connection can be used again.
_CLOSING_SECONDS = 1.0


async def relay(
    exchange: Exchange, flight: Flight, answer: Answer, bill: Bill, keepers: Sequence[Keep]
) -> None:
    """Sends the answer on; `keepers` get it before its last byte goes out. Raises
    UpstreamFault when a stream fails on its way, and what a guard raises.
    """
    shown = [header for header in answer.reply.headers if header[0] in _SHOWN]
    content = answer.content
    if isinstance(content, Stream):
        try:
            await _stream(exchange, flight, answer, content, shown, bill, keepers)
        except UpstreamRefused as error:
            error.body = answer.target.provider.redacted(error.body)
            raise
        return
    bill.write()
    await _keep(content.reply, keepers)
    await exchange.reply(
        200, [_JSON, told(flight, answer, flight.entry.upstream_us, whole=True), *shown], content.body
    )


async def _stream(
    exchange: Exchange,
    flight: Flight,
    answer: Answer,
    stream: Stream,
    shown: Headers,
    bill: Bill,
    keepers: Sequence[Keep],
) -> None:
    incoming, chunks, ready = stream.incoming, stream.chunks, stream.first
    await exchange.start(200, [*sse.HEADERS, told(flight, answer, bill.elapsed_us(), whole=False), *shown])
    while not incoming.done:
        if ready:
            await exchange.write(ready)
        if incoming.fault is not None:
            raise incoming.fault
        chunk = await anext(chunks, None)
        ready = await incoming.feed(chunk) if chunk is not None else await incoming.end()
    # Only the last event waits for the row: what came along with it is read meanwhile.
    said, last = sse.parted(ready)
    if said:
        await exchange.write(said)
    bill.write()
    await _keep(incoming.reply, keepers)
    await exchange.finish(last)
    await _exhaust(chunks)


async def _keep(reply: Reply | None, keepers: Sequence[Keep]) -> None:
    if reply is not None:
        for keep in keepers:
            await keep(reply)


async def _exhaust(chunks: AsyncIterator[bytes]) -> None:
    with contextlib.suppress(UpstreamFault, TimeoutError):
        async with asyncio.timeout(_CLOSING_SECONDS):
            async for _ in chunks:
                pass
