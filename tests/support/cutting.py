"""Ends one request at its n-th moment, for every n and in every way, and looks whether anything of it is
left: places and money that were set aside, rows too many or too few, tasks, calls upstream, calls that now
wait.

    cutting = Cutting(service)
    await cutting.everywhere(Kind(send=ask))
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from msgspec import Struct

from shared.asgi import Receive, Scope, Send
from shared.errors import GatestackError
from shared.ledger.row import Row
from shared.limits.keys import tenant_keys
from shared.redis_client import Redis
from tests.support.moments import WAYS, Knife, Moment, Way, following
from tests.support.serve import TENANT, Running
from tests.support.wait import eventually

_SECONDS = 8.0
_MUCH = 1_000_000_000
PLACES = [
    {"name": "places", "per": "user", "unit": "concurrency", "amount": _MUCH},
    {"name": "requests", "per": "user", "unit": "requests", "amount": _MUCH, "window": "total"},
]
LIMITS = [
    *PLACES,
    {"name": "tokens", "per": "user", "unit": "tokens", "amount": _MUCH, "window": "total"},
    {"name": "micros", "per": "user", "unit": "micros", "amount": _MUCH, "window": "total"},
]


async def _nothing() -> None:
    pass


def _none() -> Iterable[str]:
    return ()


def _every(_: Row) -> bool:
    return True


class Kind(Struct, frozen=True, kw_only=True):
    """One kind of request. `send` makes one, reads it to its end and returns its status: `status` where
    nobody ends it, and it is then on record as `outcome`. `before` makes sure that each finds the same;
    `left` names what is there after it and should not be; `again` is the next request, by default the same
    one. `own` tells its row from those of others that belong to it.
    """

    send: Callable[[], Awaitable[int]]
    before: Callable[[], Awaitable[None]] = _nothing
    left: Callable[[], Iterable[str]] = _none
    again: Callable[[], Awaitable[int]] | None = None
    own: Callable[[Row], bool] = _every
    status: int = 200
    outcome: str = "completed"


class Cutting:
    """Cuts requests of one running service."""

    def __init__(self, service: Running) -> None:
        self._service = service
        self._knife = Knife(service)
        self._moment: Moment | None = None

    @property
    def ended(self) -> bool:
        """Has the request that is under way been ended?"""
        moment = self._moment
        return moment is not None and moment.struck and not moment.way.breaks

    async def everywhere(self, kind: Kind, *, ways: Iterable[Way] = WAYS, stride: int = 1) -> dict[str, int]:
        """Ends a request at its first moment, at its second, … until it is over before; in each way. With a
        `stride` only at one of so many, at others in each way. How many moments it has, by way.
        """
        # What only the first of all requests does is no part of it.
        await kind.before()
        assert await kind.send() == kind.status
        found = {}
        for number, way in enumerate(ways):
            at = 1 + number % stride
            while (count := await self._cut(kind, way, at)) >= at:
                at += stride
            found[way.name] = count
        return found

    async def _cut(self, kind: Kind, way: Way, at: int) -> int:
        """How many moments the request had."""
        where = f"{way.name} at {at}"
        await kind.before()
        known = {row.id for row in await self._service.rows_now()}
        moment = self._moment = self._knife.armed = Moment(at, way, self._service.parts.redis)
        with following(moment):
            client = asyncio.create_task(_heard(kind.send()))
            try:
                await _over(kind, moment, client, where)
                await self._nothing_left(kind, moment, where)
                self._moment = None
                row = await self._recorded_once(kind, known, where)
                await _check_outcome(kind, moment, row, client, where)
            finally:
                client.cancel()
                await asyncio.wait((client,))
        await self._check_counters(row, where)
        await self._check_next(kind, where)
        return moment.count

    async def _recorded_once(self, kind: Kind, known: set[str], where: str) -> Row:
        rows = await self._service.rows_now()
        new = [row for row in rows if row.id not in known and kind.own(row)]
        assert len(new) == 1, f"{where}: {[(row.outcome, row.detail) for row in new]} on record"
        return new[0]

    async def _nothing_left(self, kind: Kind, moment: Moment, where: str) -> None:
        """Nothing of the request runs, waits, or is set aside any more."""
        parts, last = self._service.parts, ["Redis is gone"]

        async def none() -> bool:
            with contextlib.suppress(GatestackError):
                await parts.ledger.tick()
                last[:] = [f"task {task.get_name()}" for task in moment.tasks if not task.done()]
                last.extend([f"{parts.kill.open} flights"] if parts.kill.open else [])
                last.extend([f"{parts.ledger.waiting} bytes of rows"] if parts.ledger.waiting else [])
                last.extend(await self._asked() if moment.way.withdraws else [])
                last.extend(await _set_aside(parts.redis))
                last.extend(kind.left())
            return not last

        try:
            await eventually(none, seconds=_SECONDS)
        except AssertionError:
            raise AssertionError(f"{where}: left behind: {last}") from None

    async def _asked(self) -> list[str]:
        """What a person is still asked."""
        filed = [one async for one in self._service.parts.book.newest(None)]
        return [f"approval {one.approval.id}" for one in filed if one.word.state == "pending"]

    async def _check_counters(self, row: Row, where: str) -> None:
        """Limits and the chain's budget say the same as the rows."""
        parts, every = self._service.parts, await self._service.rows_now()
        for unit, owed in zip(("micros", "tokens"), _owed(every), strict=True):
            counted = await _counted(parts.redis, unit)
            assert counted in (None, owed), f"{where}: {counted} {unit} are counted, {owed} on record"
        if row.chain:
            state = await parts.limiter.state(TENANT, row.chain)
            used = _owed([one for one in every if one.chain == row.chain])
            assert (state.micros, state.tokens) == used, f"{where}: the chain has used {state}, not {used}"

    async def _check_next(self, kind: Kind, where: str) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                status = await (kind.again or kind.send)()
        except TimeoutError:
            raise AssertionError(f"{where}: the next request is not answered") from None
        assert status == kind.status, f"{where}: the next request got {status}"


async def _over(kind: Kind, moment: Moment, client: asyncio.Task[int], where: str) -> None:
    try:
        async with asyncio.timeout(_SECONDS):
            await moment.over.wait()
            if not moment.struck:
                assert await client == kind.status, f"{where}: nobody has ended it"
    except TimeoutError:
        raise AssertionError(f"{where}: it never ended") from None


async def _heard(sent: Awaitable[int]) -> int:
    """The status of what was sent, 0 where the connection ended."""
    try:
        return await sent
    except GatestackError:
        return 0


async def _check_outcome(kind: Kind, moment: Moment, row: Row, client: asyncio.Task[int], where: str) -> None:
    """What is on record is true."""
    told = (row.outcome, row.reason, row.detail)
    whole = row.outcome == kind.outcome
    assert whole or (moment.struck and row.outcome in moment.way.outcomes), f"{where}: {told}"
    if whole and moment.way.withdraws:
        async with asyncio.timeout(_SECONDS):
            assert await client == kind.status, f"{where}: {told}"


def _owed(every: Iterable[Row]) -> tuple[int, int]:
    """Money and tokens."""
    return sum(row.cost_micros for row in every), sum(row.tokens_in + row.tokens_out for row in every)


async def _set_aside(redis: Redis) -> list[str]:
    leases = await redis.execute("ZCARD", tenant_keys(TENANT).due)
    places = await _counted(redis, "concurrency")
    return ([f"{leases} leases"] if leases else []) + ([f"{places} places"] if places else [])


async def _counted(redis: Redis, unit: str) -> int | None:
    """What all limits on this unit have counted together, None where there is none."""
    names = await redis.execute("KEYS", f"{tenant_keys(TENANT).prefix}l:*:{unit}:*")
    return sum([int(await redis.execute("GET", name) or 0) for name in names]) if names else None


class Held:
    """An upstream's app: once the request is ended it says nothing more until its client has left. `only`:
    calls whose body has this in it. `arrived` counts those.
    """

    def __init__(self, app: Any, only: bytes = b"") -> None:
        self.cutting: Cutting | None = None
        self.arrived = 0
        self._app = app
        self._only = only
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        call = _Call(self, receive, send, self._only)
        # A stream that a session listens to is no call.
        counts = not self._only or scope["method"] == "POST"
        self._open += counts
        pumping = asyncio.create_task(call.pump())
        try:
            await self._app(scope, call.inbox.get, call.send)
        finally:
            self._open -= counts
            pumping.cancel()

    def left(self) -> Iterable[str]:
        if self._open:
            yield f"{self._open} calls upstream"


class _Call:
    """`pump` reads what its client sends, for the app and to notice that it leaves."""

    def __init__(self, held: Held, receive: Receive, send: Send, only: bytes) -> None:
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()
        self._held = held
        self._receive = receive
        self._send = send
        self._only = only
        self._body = b""
        held.arrived += not only
        self._left = asyncio.Event()

    async def pump(self) -> None:
        while not self._left.is_set():
            message = await self._receive()
            before, self._body = self._only in self._body, self._body + message.get("body", b"")
            self._held.arrived += not before and self._only in self._body
            if message["type"] == "http.disconnect":
                self._left.set()
            self.inbox.put_nowait(message)

    async def send(self, message: Any) -> None:
        cutting = self._held.cutting
        if cutting is not None and cutting.ended and self._only in self._body:
            await self._left.wait()
        else:
            await self._send(message)
