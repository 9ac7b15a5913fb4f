"""What every region has last said of itself, kept in the control plane's Redis. Only for telling: nothing
that is decided hangs on it.
"""

import msgspec
from msgspec import Struct

from api_gateway.regions.wire import LONGEST_WAIT, Pull
from shared.approvals import visible
from shared.clock import Clock
from shared.errors import Unavailable
from shared.identity.keys import Keyring
from shared.identity.principal import Caller
from shared.redis_client import Redis, RedisError

_REGIONS = "gs:regions"
_GONE_US = int((2 * LONGEST_WAIT + 5) * 1_000_000)


class Standing(Struct, frozen=True, kw_only=True):
    """One snapshot in one region. `ms`: from its publication until the last of the region's processes that
    were there had it, by the control plane's clock (null: not known).
    """

    epoch: int
    processes: int
    ms: float | None = None


class Region(Struct, frozen=True, kw_only=True):
    """`name` is the principal whose `key` it shows; `said_at` in microseconds since 1970."""

    name: str
    key: str
    said_at: int
    runs: dict[str, Standing]
    problems: list[str]

    def is_gone(self, now: int) -> bool:
        return now - self.said_at > _GONE_US


class RegionRoll:
    def __init__(self, redis: Redis, keyring: Keyring, clock: Clock) -> None:
        self._redis = redis
        self._keyring = keyring
        self._clock = clock

    async def note(self, caller: Caller, pull: Pull) -> None:
        """A region can speak of itself alone: its name is its credential's. Raises Unavailable."""
        now = self._clock.now_us()
        runs = {
            name: Standing(
                epoch=run.epoch,
                processes=run.processes,
                ms=None if run.ago_ms is None else round(max(0.0, now / 1000 - run.ago_ms - run.epoch), 1),
            )
            for name, run in pull.runs.items()
        }
        region = Region(
            name=caller.principal.sub,
            key=caller.key,
            said_at=now,
            runs=runs,
            problems=[visible(problem) for problem in pull.problems],
        )
        try:
            await self._redis.execute("HSET", _REGIONS, region.name, msgspec.json.encode(region))
        except RedisError as error:
            raise Unavailable("nothing can be noted at the moment", retry_after=1, cause=error) from error

    async def ask(self) -> list[Region]:
        """By name. A region whose key is gone is none any more. Raises Unavailable."""
        try:
            flat = await self._redis.execute("HGETALL", _REGIONS)
            found = [msgspec.json.decode(value, type=Region) for value in flat[1::2]]
            left = [one.name for one in found if self._has_left(one)]
            if left:
                await self._redis.execute("HDEL", _REGIONS, *left)
        except (RedisError, ValueError) as error:
            raise Unavailable("the regions cannot be read at the moment", cause=error) from error
        return sorted((one for one in found if one.name not in left), key=lambda one: one.name)

    def _has_left(self, region: Region) -> bool:
        return self._keyring.get(region.key) is None or self._keyring.revoked(region.key)
