"""How many requests of one route run at once: a few more may wait for a short time, the rest hears at once
when to come back.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

from api_gateway.balance.settings import Concurrency
from shared.clock import Clock
from shared.errors import Unavailable

# How much one request's time weighs in the average that waiting is estimated from.
_FRESH = 0.2


class Gate:
    def __init__(self, rule: Concurrency, clock: Clock) -> None:
        self.shed = 0
        self._rule = rule
        self._clock = clock
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._seconds = 0.0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One request runs in here. Raises Unavailable with `retry_after`."""
        if self._running < self._rule.limit:
            self._running += 1
        else:
            await self._queue()
        began = self._clock.monotonic()
        try:
            yield
        finally:
            self._seconds += _FRESH * (self._clock.monotonic() - began - self._seconds)
            self._pass_on()

    async def _queue(self) -> None:
        rule = self._rule
        # Who would wait in vain is told now, not when its time is over.
        if len(self._waiting) >= rule.queue or self._expected() > rule.wait_seconds:
            raise self._refusal()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(rule.wait_seconds):
                await turn
        except BaseException as error:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled():
                # The place came in the very moment in which we gave up.
                self._pass_on()
            if isinstance(error, TimeoutError):
                raise self._refusal() from None
            raise

    def _pass_on(self) -> None:
        """The place goes to whoever waits longest, and is free if nobody does."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._running -= 1

    def _expected(self) -> float:
        """Seconds until somebody who joins the queue now gets a place."""
        return (len(self._waiting) + 1) * self._seconds / self._rule.limit

    def _refusal(self) -> Unavailable:
        self.shed += 1
        return Unavailable(
            "this route has all the requests it can take: try again later",
            retry_after=max(1.0, self._expected()),
        )
