"""One connection of a client, whatever is spoken on it: when it is closed, and how."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from hypercorn.asyncio import task_group
from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.asyncio.worker_context import AsyncioSingleTask
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.typing import AppWrapper, ASGIReceiveEvent, ASGISendEvent, Scope, TaskGroup

from shared.background import cancelled
from shared.crowd import Crowd
from shared.early_answer import LINGER_SECONDS
from shared.http1 import Http1
from shared.inbox import Inbox

Action = Callable[[], Coroutine[Any, Any, None]]

# Within this time most connections are used again.
AT_ONCE_SECONDS = 0.25
# How a reader is told that nothing more comes.
_ENDINGS = ("feed_eof", "set_exception")
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\nretry-after: 1\r\n\r\n"
)


class IdleWatch(AsyncioSingleTask):
    """What closes a connection that nobody uses. First a timer waits, and only after it the task that
    hypercorn makes, and cancels, for every request. It is none of the connection's group, which would wait
    for it when the client has left long ago.
    """

    _timer: asyncio.TimerHandle | None = None

    async def restart(self, _: TaskGroup, action: Action) -> None:
        async with self._lock:
            await self._end()
            self._timer = asyncio.get_running_loop().call_later(AT_ONCE_SECONDS, self._start, action)

    async def stop(self) -> None:
        # Whoever comes while another waits for the task's end comes after them: streams of one connection
        # begin and end at the same time, and the last word counts.
        async with self._lock:
            await self._end()

    async def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        handle, self._handle = self._handle, None
        if handle is not None:
            await cancelled(handle)

    def _start(self, action: Action) -> None:
        self._timer = None
        self._handle = asyncio.create_task(action())


class Deaf:
    """What a connection speaks when it is only waited for its client to close it."""

    protocol = None

    async def handle(self, _: Event) -> None:
        pass


class Serving(Config):
    """hypercorn's configuration, and what all connections of one listener share."""

    crowd: Crowd


class Connection(TCPServer):
    """A connection whose last answer is heard, whose app is told at once when the client leaves, and that
    goes when it is over: it and its protocol know each other, and would wait for the collector.
    """

    config: Serving
    _closing: asyncio.TimerHandle | None = None
    _handling = False

    async def run(self) -> None:
        crowd, self._abort = self.config.crowd, self.writer.transport.abort
        if not crowd.enter(self._abort):
            self._refuse()
            return
        self._listen_for_the_end()
        try:
            await super().run()
        finally:
            crowd.leave(self._abort)
            if self._closing is not None:
                self._closing.cancel()
            # Where the client left before anything was said there is none.
            vars(self).pop("protocol", None)
            for name in _ENDINGS:
                vars(self.reader).pop(name, None)

    def _refuse(self) -> None:
        secure = self.writer.get_extra_info("ssl_object")
        if secure is None or secure.selected_alpn_protocol() != "h2":
            self.writer.write(_FULL)
        self.writer.close()

    async def _read_data(self) -> None:
        while not self.reader.at_eof():
            try:
                data = await self.reader.read(MAX_RECV)
            except OSError:
                break
            self._handling = True
            try:
                await self.protocol.handle(RawData(data))
            finally:
                self._handling = False
        await self.protocol.handle(Closed())

    def _listen_for_the_end(self) -> None:
        """Whoever reads would hear of it after all that has come before, and nobody reads while that has to
        wait: for an app that takes no more of a body, or that answers what was asked first.
        """
        for name in _ENDINGS:
            setattr(self.reader, name, partial(self._ended, getattr(self.reader, name)))

    def _ended(self, tell: Callable[..., None], *error: Exception) -> None:
        tell(*error)
        if self._handling:
            self._task_group.spawn(self.protocol.handle, Closed())

    async def protocol_send(self, event: Event) -> None:
        if type(event) is Closed and self._half_heard():
            self._linger()
            return
        if type(event) is Updated:
            crowd = self.config.crowd
            (crowd.unused if event.idle else crowd.used)(self._abort)
        await super().protocol_send(event)

    async def _close(self) -> None:
        # Under uvloop who has reset it is no longer connected: nothing that anybody needs to read in the log.
        with contextlib.suppress(OSError):
            await super()._close()

    def _half_heard(self) -> bool:
        """The answer is out, and the client still sends what nobody will read."""
        protocol = self.protocol.protocol
        return isinstance(protocol, Http1) and protocol.answered_early

    def _linger(self) -> None:
        """What arrives at a closed socket makes the client's machine throw the answer away: it is read, for a
        while, until the client closes (RFC 9112 section 9.6).
        """
        self.protocol = Deaf()  # type: ignore[assignment]
        with contextlib.suppress(NotImplementedError, OSError, RuntimeError):
            self.writer.write_eof()
        self._closing = self.loop.call_later(LINGER_SECONDS, self.writer.close)


class Tasks(task_group.TaskGroup):
    """A connection's tasks, whose apps are told of the end also when they read nothing any more."""

    async def spawn_app(
        self,
        app: AppWrapper,
        config: Config,
        scope: Scope,
        send: Callable[[ASGISendEvent | None], Awaitable[None]],
    ) -> Callable[[ASGIReceiveEvent], Awaitable[None]]:
        inbox = Inbox(config.max_app_queue_size)
        self.spawn(task_group._handle, app, config, scope, inbox.get, send, _no_threads, _no_threads)
        return inbox.put


def _no_threads(*_: object) -> None:
    raise NotImplementedError("only ASGI is served here, which needs none")
