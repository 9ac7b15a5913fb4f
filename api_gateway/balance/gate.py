"""How many requests of one route run at once: a few more may wait for a short time, the rest hears at once
when to come back.
"""

import asyncio
import contextlib
from bisect import bisect_right, insort
from collections.abc import AsyncIterator

from msgspec import Struct

from api_gateway.balance.adapt import Adapting
from api_gateway.balance.settings import Concurrency
from api_gateway.balance.urgency import Urgencies, Urgency
from shared.asgi import Exchange
from shared.clock import Clock
from shared.errors import Overloaded, UpstreamTimeout
from shared.identity.principal import Caller
from shared.policy import PolicyBox

# How much one request's time weighs in the average that waiting is estimated from.
_FRESH = 0.2
_ORDINARY = Urgency()


class Turn(Struct, frozen=True, eq=False):
    """One who waits. `rank` sorts the most urgent first, and equals by when they came."""

    rank: int
    place: asyncio.Future[None]


class Gate:
    def __init__(self, rule: Concurrency, clock: Clock, policy: PolicyBox | None = None) -> None:
        self.shed = 0
        self._rule = rule
        self._clock = clock
        self._adapting = Adapting(rule.limit) if rule.adapt else None
        self._urgencies = Urgencies(rule.priorities, policy)
        self._running = 0
        self._waiting: list[Turn] = []
        self._seconds = 0.0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def limit(self) -> int:
        return self._rule.limit if self._adapting is None else self._adapting.limit

    @property
    def full(self) -> bool:
        """Can nobody at all be let in, whoever it is?"""
        if self._running < self.limit or self._rule.priorities:
            return False
        ahead = len(self._waiting)
        return ahead >= self._rule.queue or self._expected(ahead) > self._rule.wait_seconds

    def check(self) -> None:
        """Raises Overloaded with `retry_after` where it is full."""
        if self.full:
            raise self._refusal(len(self._waiting))

    def admit(
        self, exchange: Exchange, caller: Caller, spent: float
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """`place` for a request that came `spent` seconds ago. Raises BadRequest for a deadline that is
        none.
        """
        return self.place(self._urgencies.of(exchange, caller, spent))

    @contextlib.asynccontextmanager
    async def place(self, urgency: Urgency = _ORDINARY) -> AsyncIterator[None]:
        """One request runs in here. Raises Overloaded with `retry_after`."""
        if self._running < self.limit:
            self._running += 1
        else:
            await self._queue(urgency)
        began, answered = self._clock.monotonic(), False
        try:
            yield
            answered = True
        except UpstreamTimeout:
            answered = True
            raise
        finally:
            self._leave(self._clock.monotonic() - began, answered=answered)

    def _leave(self, seconds: float, *, answered: bool) -> None:
        """What failed at once, or was given up, says nothing about how much the service can do."""
        self._seconds += _FRESH * (seconds - self._seconds)
        if self._adapting is not None and answered:
            taken = self._running >= self._adapting.limit
            self._adapting.took(seconds, now=self._clock.monotonic(), taken=taken)
        self._pass_on()

    async def _queue(self, urgency: Urgency) -> None:
        # An answer takes its time, too: who would have it too late need not wait for a place.
        longest = min(self._rule.wait_seconds, urgency.patience - self._seconds)
        ahead = bisect_right(self._waiting, -urgency.priority, key=_rank)
        # Who would wait in vain is told now, not when its time is over.
        if self._expected(ahead) > longest or longest <= 0 or not self._room(ahead):
            raise self._refusal(ahead)
        turn = Turn(-urgency.priority, asyncio.get_running_loop().create_future())
        insort(self._waiting, turn, key=_rank)
        try:
            async with asyncio.timeout(longest):
                await turn.place
        except BaseException as error:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.place.cancelled() and turn.place.exception() is None:
                # The place came in the very moment in which we gave up.
                self._pass_on()
            if isinstance(error, TimeoutError):
                raise self._refusal(len(self._waiting)) from None
            raise

    def _room(self, ahead: int) -> bool:
        """Is there room in the queue, if need be that of somebody who is less urgent?"""
        if len(self._waiting) < self._rule.queue:
            return True
        if ahead == len(self._waiting):
            return False
        last = self._waiting.pop()
        if not last.place.done():
            last.place.set_exception(self._refusal(len(self._waiting)))
        return True

    def _pass_on(self) -> None:
        """The place goes to the most urgent, of those to who waits longest; more than one where the limit has
        grown, none where it has shrunk.
        """
        self._running -= 1
        while self._waiting and self._running < self.limit:
            turn = self._waiting.pop(0)
            if not turn.place.done():
                turn.place.set_result(None)
                self._running += 1

    def _expected(self, ahead: int) -> float:
        """Seconds until somebody gets a place whom so many are before."""
        return (ahead + 1) * self._seconds / self.limit

    def _refusal(self, ahead: int) -> Overloaded:
        self.shed += 1
        return Overloaded(
            "this route has all the requests it can take: try again later",
            retry_after=max(1.0, self._expected(ahead)),
        )


def _rank(turn: Turn) -> int:
    return turn.rank
