"""Requests that ask the same at once are collapsed (RFC 9111 section 4): one goes to the service, the others
wait for its answer. When that may be kept they are answered by it, otherwise each goes by itself.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Hashable, Iterator

from shared.account import Flight
from shared.clock import Clock

_MOST_FOLLOWERS = 1000
# What cannot be kept is not waited for again so soon.
_APART_SECONDS = 60.0
_MOST_APART = 4096


class Leader:
    """The request that asks."""

    def __init__(self, flight: Flight) -> None:
        self.followers = 0
        self._flight = flight
        self._over = asyncio.Event()

    def release(self) -> None:
        """There is nothing more to wait for: its answer is kept, or will not be."""
        self._over.set()

    async def follow(self, seconds: float) -> None:
        """Returns when it is over, or after `seconds`, however it ends."""
        # Should its client leave, others still want the answer.
        self._flight.stay()
        self.followers += 1
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            pass
        finally:
            self.followers -= 1


class Collapse:
    """Who asks for what at this moment. Nobody waits for longer than `seconds`."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._leaders: dict[Hashable, Leader] = {}
        self._apart: OrderedDict[int, float] = OrderedDict()

    async def wait(self, question: Hashable) -> bool:
        """Waits for who asks the same. False at once where there is nobody to wait for."""
        leader = self._leaders.get(question)
        if leader is None or not self._seconds or leader.followers >= _MOST_FOLLOWERS:
            return False
        await leader.follow(self._seconds)
        return True

    @contextlib.contextmanager
    def leading(self, question: Hashable, flight: Flight, *, alone: bool) -> Iterator[Leader]:
        """Around asking the service. Nobody follows who goes `alone`, or where somebody is asking already."""
        leader = Leader(flight)
        if not alone and question not in self._leaders and not self._stay_apart(question):
            self._leaders[question] = leader
        try:
            yield leader
        finally:
            leader.release()
            if self._leaders.get(question) is leader:
                del self._leaders[question]

    def part(self, question: Hashable) -> None:
        """From now on each who asks this goes by itself, for a while."""
        # Their hashes do: who is taken for another one by mistake only misses a short cut.
        self._apart[hash(question)] = self._clock.monotonic() + _APART_SECONDS
        self._apart.move_to_end(hash(question))
        if len(self._apart) > _MOST_APART:
            self._apart.popitem(last=False)

    def _stay_apart(self, question: Hashable) -> bool:
        return self._apart.get(hash(question), 0.0) > self._clock.monotonic()
