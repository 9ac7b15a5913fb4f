"""The person who decides, for tests of one service: a policy that asks for them, and what waits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from unittest.mock import patch

from shared.account import Flight
from shared.approvals import Filed, State
from shared.background import cancelled
from shared.errors import Unavailable
from shared.parts import Parts
from tests.support.cutting import Cutting, Kind
from tests.support.moments import WAYS
from tests.support.serve import Edge
from tests.support.wait import eventually

BY = "user:bob"


async def asks(edge: Edge, parts: Parts, resource: str, **approval: str) -> None:
    """From now on everything is allowed, and `resource` with a person's consent."""
    rule = {"id": "all", "sub": "*", "dom": "*", "obj": "*", "act": "*"}
    asking = {"id": "asks", "sub": "*", "dom": "*", "obj": resource, "act": "*", **approval}
    await edge.publish(parts, "policy", {"rules": [rule], "approvals": [asking]})


async def waiting(parts: Parts) -> Filed:
    """The one call that waits for a person."""

    async def one() -> list[Filed]:
        found = [filed async for filed in parts.book.newest(None) if filed.word.state == "pending"]
        return found if len(found) == 1 else []

    [found] = await eventually(one, "a call that waits for a person")
    return found


async def decide(parts: Parts, state: State = "approved", why: str = "") -> str:
    """Decides on the one call that waits; its id."""
    filed = await waiting(parts)
    assert await parts.book.decide(filed.approval.id, state, BY, why) == "decided"
    return filed.approval.id


@contextlib.asynccontextmanager
async def approving(parts: Parts) -> AsyncIterator[None]:
    """Somebody is there who approves what comes to be waited for, even if the state store goes away."""

    async def approve() -> None:
        while True:
            with contextlib.suppress(Unavailable):
                await decide(parts)
                return

    person = asyncio.create_task(approve())
    try:
        yield
    finally:
        await cancelled(person)


async def state(parts: Parts, approval: str) -> str:
    filed = await parts.book.find(approval)
    return filed.word.state if filed is not None else ""


async def asked(parts: Parts) -> list[Any]:
    """Everything that anybody was ever asked."""
    return [filed.approval async for filed in parts.book.newest(None)]


class Spending:
    """Compares approvals that are used up with calls that were sent on, of which `arrived` have come."""

    def __init__(self, parts: Parts, arrived: Callable[[], int]) -> None:
        self._parts = parts
        self._arrived = arrived
        self._sent = 0
        self._wasted = 0
        self._used: set[bytes] = set()

    async def everywhere(
        self, cutting: Cutting, send: Callable[[], Awaitable[int]], left: Any, *, stride: int
    ) -> None:
        """Cuts calls that a person has approved. What was not sent on is not used up, unless Redis was lost:
        then nobody knows. In no way is one approval used for two calls.
        """

        def kind(*, lossy: bool) -> Kind:
            async def again() -> int:
                await self._check(lossy=lossy)
                return await send()

            return Kind(send=send, left=left, again=again)

        with self._counting():
            ends = [way for way in WAYS if not way.breaks]
            await cutting.everywhere(kind(lossy=False), ways=ends, stride=stride)
            assert self._sent > len(ends)
            breaks = [way for way in WAYS if way.breaks]
            await cutting.everywhere(kind(lossy=True), ways=breaks, stride=stride)

    @contextlib.contextmanager
    def _counting(self) -> Iterator[None]:
        sends = Flight.sends

        def counted(flight: Flight) -> None:
            self._sent += flight.unsent is not None
            sends(flight)

        with patch.object(Flight, "sends", counted):
            yield

    async def _check(self, *, lossy: bool) -> None:
        redis = self._parts.redis
        for id in await redis.execute("ZRANGE", "gs:{approvals}:all", 0, -1):
            if (
                id not in self._used
                and await redis.execute("HGET", b"gs:{approvals}:one:" + id, "state") == b"used"
            ):
                self._used.add(id)
        used = len(self._used) - self._wasted
        assert self._arrived() <= self._sent <= used, (
            f"{self._arrived()} came, {self._sent} sent, {used} used"
        )
        assert lossy or used == self._sent, f"{used} are used up, {self._sent} were sent"
        self._wasted += used - self._sent
