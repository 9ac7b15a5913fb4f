"""Which processes there are, and what each of them obeys: every process says so once a second, for whoever
asks how far a change has come. Only for telling: nothing that is decided hangs on it.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

from shared.clock import Clock
from shared.errors import Unavailable
from shared.ledger.entry import new_id
from shared.redis_client import Redis, RedisError
from shared.snapshots import Snapshots

REPLICAS = "gs:replicas"
_SAY_SECONDS = 1.0
# Who has said nothing for so long counts as gone, and is forgotten some time after.
_GONE_US, _FORGOTTEN_US = 5_000_000, 3_600_000_000
_TROUBLE = (Unavailable, RedisError)


class Replica(Struct, frozen=True, kw_only=True):
    """One process. By snapshot: the epoch it runs, when it took it over, and for how many seconds nobody has
    confirmed it. Times in microseconds since 1970, `skew_ms` is how far its clock is ahead of Redis's.
    """

    id: str
    service: str
    host: str
    pid: int
    started_at: int
    said_at: int = 0
    skew_ms: float = 0.0
    epochs: dict[str, int] = {}
    taken: dict[str, int] = {}
    unconfirmed: dict[str, float] = {}
    problems: tuple[str, ...] = ()

    def is_gone(self, now: int) -> bool:
        """`now` by Redis's clock."""
        return now - self.said_at > _GONE_US


class RollCall:
    """Says what this process is and runs while `run` runs, and asks who else does."""

    def __init__(
        self,
        redis: Redis,
        snapshots: Snapshots,
        clock: Clock,
        service: str,
        problems: Callable[[], list[str]],
    ) -> None:
        self._redis = redis
        self._snapshots = snapshots
        self._clock = clock
        self._problems = problems
        self._self = Replica(
            id=new_id(),
            service=service,
            host=socket.gethostname(),
            pid=os.getpid(),
            started_at=clock.now_us(),
        )

    async def run(self) -> None:
        """Until cancelled; then this process is taken off the roll."""
        try:
            while True:
                with contextlib.suppress(*_TROUBLE):
                    await self._say()
                await asyncio.sleep(_SAY_SECONDS)
        finally:
            with contextlib.suppress(*_TROUBLE, asyncio.CancelledError):
                await self._redis.execute("HDEL", REPLICAS, self._self.id)

    async def ask(self) -> tuple[list[Replica], int]:
        """Everybody on the roll, and what time it is by Redis's clock. Raises Unavailable."""
        try:
            flat = await self._redis.execute("HGETALL", REPLICAS)
            now = await redis_time(self._redis.execute)
            found = [msgspec.json.decode(value, type=Replica) for value in flat[1::2]]
            if old := [one.id for one in found if now - one.said_at > _FORGOTTEN_US]:
                await self._redis.execute("HDEL", REPLICAS, *old)
        except (RedisError, ValueError) as error:
            raise Unavailable("the roll cannot be read at the moment", cause=error) from error
        known = [one for one in found if one.id not in old]
        return sorted(known, key=lambda one: (one.service, one.started_at, one.id)), now

    async def _say(self) -> None:
        before = self._clock.now_us()
        said_at = await redis_time(self._redis.execute)
        # Redis looked at its clock somewhere between our two looks at ours.
        skew = (before + self._clock.now_us()) / 2 - said_at
        epochs = self._snapshots.epochs()
        said = msgspec.structs.replace(
            self._self,
            said_at=said_at,
            skew_ms=round(skew / 1000, 1),
            epochs=epochs,
            taken=self._snapshots.taken(),
            unconfirmed={name: round(self._snapshots.fresh(name), 3) for name in epochs},
            problems=tuple(self._problems()),
        )
        await self._redis.execute("HSET", REPLICAS, said.id, msgspec.json.encode(said))


async def redis_time(execute: Callable[[str], Awaitable[list[bytes]]]) -> int:
    """Microseconds since 1970 by Redis's clock."""
    seconds, micros = await execute("TIME")
    return int(seconds) * 1_000_000 + int(micros)
