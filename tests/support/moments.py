"""The moments of one request, and the ways in which it can be ended at one of them.

A moment is an await at which the request gives the loop away, in its own task or in one that it has started.
"""

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any

from msgspec import Struct

from shared.asgi import Receive, Scope, Send
from shared.errors import ClientGone, Killed
from shared.kill import Cut
from shared.ledger.entry import Entry
from shared.redis_client import Redis
from tests.support.serve import Running

# What a server does for a connection, which goes on after the request.
_CONNECTIONS = ("TCPServer.", "EventWrapper.")


class Way(Struct, frozen=True):
    """One way to end a request: while it waits, or `late`, when what it waits for has come, which it then
    never gets. `outcomes` are what the ledger may then say of a call that was not answered all the same.
    `breaks`: not the request is ended but what it stands on, and it may well get over that.
    """

    name: str
    cut: Callable[["Moment"], None]
    outcomes: tuple[str, ...]
    late: bool = False
    breaks: bool = False
    withdraws: bool = False


class Moment:
    """The `at`-th moment of one request. `tasks` are its own and all that it has started."""

    def __init__(self, at: int, way: Way, redis: Redis) -> None:
        self.way = way
        self.redis = redis
        self.count = 0
        self.struck = False
        self.over = asyncio.Event()
        self.tasks: list[asyncio.Task[Any]] = []
        self.end: Callable[[Any], None] | None = None
        self._at = at

    def waits(self, awaited: Any) -> None:
        """One of the tasks is about to wait for this."""
        self.count += 1
        if self.count != self._at:
            return
        if self.way.late and isinstance(awaited, asyncio.Future):
            # Before the task that waits for it is told.
            awaited.add_done_callback(lambda _: self._strike())
        else:
            asyncio.get_running_loop().call_soon(self._strike)

    def cut(self, reason: Exception) -> None:
        if self.end is not None:
            self.end(reason)

    def _strike(self) -> None:
        if not self.over.is_set():
            self.struck = True
            self.way.cut(self)


_current: contextvars.ContextVar[Moment | None] = contextvars.ContextVar("moment", default=None)


class _Counted:
    """A coroutine whose waits are told to `moment`."""

    def __init__(self, work: Coroutine[Any, Any, Any], moment: Moment) -> None:
        self._work = work
        self._moment = moment

    def __await__(self) -> Generator[Any, Any, Any]:
        step: Callable[[Any], Any] = self._work.send
        told: Any = None
        while True:
            try:
                awaited = step(told)
            except StopIteration as end:
                return end.value
            self._moment.waits(awaited)
            try:
                step, told = self._work.send, (yield awaited)
            except GeneratorExit:
                self._work.close()
                raise
            except BaseException as error:
                step, told = self._work.throw, error


class Knife:
    """Stands before a service's app and attends to the one request that it was `armed` for."""

    def __init__(self, service: Running) -> None:
        app, kill = service.app, service.parts.kill
        self.armed: Moment | None = None
        self._app = app.middleware_stack or app.build_middleware_stack()
        self._enter = kill.enter
        kill.enter = self._entered  # type: ignore[method-assign]
        app.middleware_stack = self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        moment, self.armed = self.armed, None
        if moment is None:
            await self._app(scope, receive, send)
            return
        task = asyncio.current_task()
        assert task is not None
        moment.tasks.append(task)
        _current.set(moment)
        try:
            await _counted(self._app(scope, receive, send), moment)
        finally:
            moment.over.set()
            _current.set(None)

    def _entered(self, entry: Entry, cut: Cut) -> int:
        moment = _current.get()
        if moment is not None and moment.end is None:
            moment.end = cut
        return self._enter(entry, cut)


@contextlib.contextmanager
def following(moment: Moment) -> Iterator[None]:
    """Every task that the request starts is one of its own."""

    def started(loop: asyncio.AbstractEventLoop, work: Any, **how: Any) -> asyncio.Task[Any]:
        name = getattr(work, "__qualname__", "")
        if _current.get() is not moment or name.startswith(_CONNECTIONS):
            return asyncio.Task(work, loop=loop, **how)
        task: asyncio.Task[Any] = asyncio.Task(_counted(work, moment), loop=loop, **how | {"name": name})
        # One that is cancelled before it begins has never come to its work.
        task.add_done_callback(lambda _: work.close())
        moment.tasks.append(task)
        return task

    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(started)
    try:
        yield
    finally:
        loop.set_task_factory(before)


async def _counted(work: Any, moment: Moment) -> Any:
    return await _Counted(work, moment)


def _leave(moment: Moment) -> None:
    moment.cut(ClientGone())


def _kill(moment: Moment) -> None:
    moment.cut(Killed("stopped by a test"))


def _stop(moment: Moment) -> None:
    moment.tasks[0].cancel()


def _lose_redis(moment: Moment) -> None:
    """The connection breaks: nobody knows of what is under way whether it has been done."""
    link = moment.redis._link
    if link is not None:
        # It comes back at once, however often this happens here.
        moment.redis._lost_at = -1.0
        link._abort()


def _deafen_redis(moment: Moment) -> None:
    """The connection breaks when the next answer comes: what was asked is done, and nobody hears of it."""
    link = moment.redis._link
    if link is not None:
        moment.redis._lost_at = -1.0
        link.data_received = lambda data: link._abort()  # type: ignore[method-assign]


_FAILED = ("failed", "broken", "refused")
WAYS = (
    Way("leaves", _leave, ("client_gone",), withdraws=True),
    Way("leaves late", _leave, ("client_gone",), late=True, withdraws=True),
    Way("killed", _kill, ("killed",), withdraws=True),
    Way("killed late", _kill, ("killed",), late=True, withdraws=True),
    Way("stopped", _stop, ("stopped",)),
    Way("stopped late", _stop, ("stopped",), late=True),
    Way("Redis lost", _lose_redis, _FAILED, breaks=True),
    Way("Redis unheard", _deafen_redis, _FAILED, breaks=True),
)
