"""An answer on its way out: bytes as they come, whole events at a time, the row durable before the last of
them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from llm_gateway.answer import Answer, Stream
from llm_gateway.bill import Bill
from llm_gateway.guard import Guard, watch
from shared import sse
from shared.account import Flight
from shared.asgi import Exchange, Headers
from shared.errors import UpstreamFault, UpstreamRefused

# What of a provider's headers a caller sees. Its rate limits are those of our account there, not the
# caller's.
_SHOWN = frozenset((b"x-request-id", b"openai-processing-ms", b"openai-version"))
_JSON = (b"content-type", b"application/json")
# How long a provider that has said its last word is waited for, so that its connection can be used again.
_CLOSING_SECONDS = 1.0


async def relay(
    exchange: Exchange, flight: Flight, answer: Answer, bill: Bill, guards: Sequence[Guard]
) -> None:
    """Sends the answer on. Raises UpstreamFault when a stream fails on its way."""
    headers = [header for header in answer.reply.headers if header[0] in _SHOWN]
    if answer.stream is None:
        bill.write()
        await exchange.reply(200, [_JSON, *headers], watch(answer.first, guards, flight.entry))
        return
    try:
        await _stream(exchange, flight, answer.first, answer.stream, headers, bill, guards)
    except UpstreamRefused as error:
        error.body = answer.target.provider.redacted(error.body)
        raise


async def _stream(
    exchange: Exchange,
    flight: Flight,
    ready: bytes,
    stream: Stream,
    headers: Headers,
    bill: Bill,
    guards: Sequence[Guard],
) -> None:
    reader, chunks = stream.reader, stream.chunks
    await exchange.start(200, [*sse.HEADERS, *headers])
    while not reader.done:
        if ready:
            await exchange.write(watch(ready, guards, flight.entry))
        if reader.fault is not None:
            raise reader.fault
        chunk = await anext(chunks, None)
        ready = reader.feed(chunk) if chunk is not None else reader.end()
    bill.write()
    await exchange.finish(watch(ready, guards, flight.entry))
    await _exhaust(chunks)


async def _exhaust(chunks: AsyncIterator[bytes]) -> None:
    with contextlib.suppress(UpstreamFault, TimeoutError):
        async with asyncio.timeout(_CLOSING_SECONDS):
            async for _ in chunks:
                pass
