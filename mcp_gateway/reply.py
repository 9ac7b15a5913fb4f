"""The way back to the client: one JSON document, or an event stream as soon as there is something to say
before it.
"""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from shared import sse
from shared.asgi import Exchange, Headers

JSON_HEADERS: Headers = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
# Long enough not to turn quick calls into streams, short enough for the idle timers of proxies.
_PULSE_SECONDS = 15.0
_PULSE = b": still working\n\n"


class Reply:
    """`streams` says whether the client can read an event stream; where it cannot, notes are dropped."""

    def __init__(self, exchange: Exchange, *, streams: bool) -> None:
        self._exchange = exchange
        self._streams = streams
        self._writing = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._pulse: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Starts the stream before there is anything to say."""
        await self._write(_PULSE)

    async def end(self) -> None:
        """Ends a stream without an answer."""
        self._still()
        async with self._writing:
            await self._exchange.finish()

    async def note(self, message: bytes) -> None:
        """A message before the answer."""
        if self._streams:
            await self._write(sse.encode(_one_line(message), "message"))

    async def finish(self, status: int, message: bytes) -> None:
        """The answer. `status` counts only where nothing has been said before."""
        self._still()
        async with self._writing:
            if self._exchange.started:
                await self._exchange.finish(sse.encode(_one_line(message), "message"))
            else:
                await self._exchange.reply(status, JSON_HEADERS, message)

    async def __aenter__(self) -> Self:
        if self._streams:
            self._wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._still()
        if self._pulse is not None:
            self._pulse.cancel()
            await asyncio.gather(self._pulse, return_exceptions=True)

    async def _write(self, chunk: bytes) -> None:
        async with self._writing:
            if not self._exchange.started:
                await self._exchange.start(200, sse.HEADERS)
            if not self._exchange.finished:
                await self._exchange.write(chunk)

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_PULSE_SECONDS, self._beat)

    def _still(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        # One at a time: a client that does not read gets no more of them.
        if self._pulse is None or self._pulse.done():
            self._pulse = asyncio.create_task(self._pulsate())
        self._wait()

    async def _pulsate(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            # That the client is gone is noticed elsewhere.
            await self._write(_PULSE)


def _one_line(message: bytes) -> bytes:
    """A line break in JSON is white space; in an event it would begin another field."""
    return message.replace(b"\r", b" ").replace(b"\n", b" ")
