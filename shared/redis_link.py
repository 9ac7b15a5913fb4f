"""One connection to Redis: what is asked in one turn of the loop leaves in one write, and replies are matched
by their order. It never reconnects; `shared/redis_client.py` does, and is the one that callers know.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

from shared.errors import Unavailable

GONE = "the state store cannot be reached at the moment, try again"
PING = b"*1\r\n$4\r\nPING\r\n"
INCOMPLETE = object()
_PING_EVERY = 5.0
# The server is there but cannot do its work now: for a caller the same as a server that is gone.
_NOT_NOW = ("LOADING", "BUSY ", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "MISCONF", "NOREPLICAS", "OOM ")


class RedisError(Exception):
    """The server's own error reply: the command was wrong, the connection is fine."""


class Reader(Protocol):
    """What takes bytes apart into replies. `gets` returns INCOMPLETE when there is no whole one yet."""

    def feed(self, data: bytes, /) -> None: ...
    def gets(self) -> Any: ...


class Link(asyncio.Protocol):
    """A reply that takes longer than `timeout` ends the connection: all behind it would have to wait too."""

    def __init__(self, reader: Reader, timeout: float, lost: "Callable[[Link], None] | None" = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = reader
        self._timeout = timeout
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._out: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    def submit(self, command: bytes) -> asyncio.Future[Any]:
        """Sends a packed command. Cancelling the future drops its reply and nothing else."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._gone.done():
            future.set_exception(Unavailable(GONE, cause="the connection is closed"))
            return future
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(command)
        self._waiting.append((self._loop.time(), future))
        return future

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            await self._gone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not INCOMPLETE:
                self._take(reply)
        except (ConnectionError, IndexError):
            self._abort()  # not Redis, or out of step

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._gone.done():
            self._gone.set_result(None)
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(Unavailable(GONE, cause=exc or "the connection broke, or was too slow"))
        if self._lost is not None:
            self._lost(self)

    def _take(self, reply: Any) -> None:
        _, future = self._waiting.popleft()
        if future.done():
            return
        if type(reply) is not RedisError:
            future.set_result(reply)
            return
        text = str(reply)
        future.set_exception(Unavailable(GONE, cause=reply) if text.startswith(_NOT_NOW) else reply)
        if text.startswith("READONLY"):
            self._abort()  # its address may belong to another server by now

    def _flush(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _wait(self) -> None:
        self._timer = self._loop.call_later(self._timeout / 8, self._watch, self._loop.time())

    def _watch(self, since: float) -> None:
        now = self._loop.time()
        # Were we too busy to look, the reply may lie there unread: that says nothing about the server.
        busy = now - since > self._timeout / 4
        if not busy and self._waiting and self._waiting[0][0] < now - self._timeout * 7 / 8:
            self._abort()
        else:
            self._wait()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Subscription(Link):
    """A connection that listens to channels."""

    def __init__(self, reader: Reader, timeout: float) -> None:
        super().__init__(reader, timeout)
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def message(self) -> bytes:
        """The next one. A connection that died without a word is noticed by the ping it does not answer."""
        while True:
            try:
                async with asyncio.timeout(_PING_EVERY):
                    message = await self._messages.get()
            except TimeoutError:
                await self.submit(PING)
                continue
            if message is None:
                raise Unavailable(GONE, cause="the subscription's connection broke")
            return message

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._messages.put_nowait(None)

    def _take(self, reply: Any) -> None:
        if type(reply) is list and reply[0] == b"message":
            self._messages.put_nowait(reply[2])
        else:
            super()._take(reply)
