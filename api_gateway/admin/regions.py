"""Where regions fetch what all obey: the signed snapshots, as soon as there is a newer one.

Whoever may ask this reads the digests of all keys, the policy and the kill list of every tenant: it is a
right of its own (`admin:regions`, `pull`), which `read` does not include.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator

import msgspec
from msgspec import Raw

from api_gateway.admin import Answer, Ask, Page
from api_gateway.control import Control
from api_gateway.regions.roll import RegionRoll
from api_gateway.regions.wire import PATH, Pull, Pulled, Signed, mark
from shared.clock import Clock
from shared.errors import Forbidden, Unavailable
from shared.redis_client import RedisError
from shared.snapshots import Snapshots

# A message that got lost is found by looking.
_LOOK_SECONDS = 1.0
# Of one region, and of all: whoever comes on top is answered without waiting.
_WAITING_EACH, _WAITING = 8, 512


class Pulling:
    """Every snapshot that differs from what the region holds; where none does, the answer may wait."""

    def __init__(self, snapshots: Snapshots, roll: RegionRoll, clock: Clock) -> None:
        self._snapshots = snapshots
        self._roll = roll
        self._clock = clock
        self._waiting: Counter[str] = Counter()

    async def __call__(self, control: Control, ask: Ask) -> Answer:
        if not ask.all_tenants:
            raise Forbidden("what all tenants obey is for regions of the operators' own tenant")
        if ask.caller.credential != "key":
            raise Forbidden("a region shows a key of its own")
        pull = ask.read(Pull)
        await self._roll.note(ask.caller, pull)
        try:
            with self._counted(ask.caller.principal.sub) as may_wait:
                return 200, await self._newer(pull, pull.wait_seconds if may_wait else 0.0)
        except RedisError as error:
            raise Unavailable("the snapshots cannot be read at the moment", cause=error) from error

    async def _newer(self, pull: Pull, wait_seconds: float) -> Pulled:
        until = self._clock.monotonic() + wait_seconds
        while True:
            bell = self._snapshots.bell()
            changed = {name: await self._signed(name) for name in await self._differing(pull)}
            found = {name: signed for name, signed in changed.items() if signed is not None}
            left = until - self._clock.monotonic()
            if found or left <= 0:
                return Pulled(found)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, _LOOK_SECONDS)):
                    await bell.wait()

    async def _differing(self, pull: Pull) -> list[str]:
        found = []
        for name in await self._snapshots.published():
            signature = await self._snapshots.signature(name)
            if signature and pull.holds.get(name) != mark(signature):
                found.append(name)
        return found

    async def _signed(self, name: str) -> Signed | None:
        """None where it is gone, or is none: Redis is not believed, and what is no JSON is not passed on."""
        signature, _, payload = (await self._snapshots.signed(name) or b"").partition(b"\n")
        try:
            msgspec.json.decode(payload)
            return Signed(signature.decode("ascii"), Raw(payload))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    @contextlib.contextmanager
    def _counted(self, region: str) -> Iterator[bool]:
        """Whether this one may wait."""
        self._waiting[region] += 1
        try:
            yield self._waiting[region] <= _WAITING_EACH and self._waiting.total() <= _WAITING
        finally:
            self._waiting[region] -= 1
            self._waiting += Counter()


def pages(snapshots: Snapshots, roll: RegionRoll, clock: Clock) -> tuple[Page, ...]:
    pulling = Pulling(snapshots, roll, clock)
    return (
        Page(method="POST", path=PATH, area="regions", action="pull", call=pulling, body=Pull, answer=Pulled),
    )
