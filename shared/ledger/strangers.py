"""Refusals of callers whom nobody knows: the first from a source has its own row, all others of its minute
share one, which says how many they were. A flood without credentials must not fill the ledger.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable

from shared.asgi import Scope
from shared.client_address import source as source_of
from shared.clock import Clock
from shared.errors import Unavailable
from shared.ledger.entry import Entry, Outcome, new_id

_WINDOW_SECONDS = 60.0
_TICK_SECONDS = 5.0
# All sources beyond these count as one: whoever has that many addresses is one flood.
_MOST_SOURCES = 1000
_ELSEWHERE = "elsewhere"

Close = Callable[[Entry, None], Awaitable[None]]


class _Many:
    """What came from one source within its minute, beside the first."""

    def __init__(self, now: float) -> None:
        self.since = now
        self.first: Entry | None = None
        self.last = 0
        self.reasons: Counter[str] = Counter()


class Strangers:
    """`close` writes a row. What a killed process had counted is lost, at most a minute of it."""

    def __init__(self, close: Close, tell: Callable[[Entry], None], clock: Clock) -> None:
        self._close = close
        self._tell = tell
        self._clock = clock
        self._seen: dict[str, _Many] = {}

    def counted(self, entry: Entry, scope: Scope) -> bool:
        """Whether `entry`, closing the request of `scope`, is one of many, which get no row of their own."""
        if entry.caller is not None or entry.outcome is not Outcome.REFUSED:
            return False
        source = source_of(scope)
        if source not in self._seen and len(self._seen) >= _MOST_SOURCES:
            source = _ELSEWHERE
        many = self._seen.get(source)
        if many is None:
            self._seen[source] = _Many(self._clock.monotonic())
            entry.findings += (f"source:{source}",)
            return False
        many.first = many.first or entry
        many.last = entry.started_at
        many.reasons[entry.reason] += 1
        return True

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            await self.tick()

    async def tick(self) -> None:
        """Writes the rows of the sources whose minute is over."""
        over = self._clock.monotonic() - _WINDOW_SECONDS
        await self._write([source for source, many in self._seen.items() if many.since <= over])

    async def stop(self) -> None:
        await self._write(list(self._seen))

    async def _write(self, sources: list[str]) -> None:
        for source in sources:
            many = self._seen.pop(source)
            if many.first is None:
                continue
            entry = _together(many, many.first, source)
            # The ledger holds what it cannot write now.
            with contextlib.suppress(Unavailable):
                await self._close(entry, None)
            self._tell(entry)


def _together(many: _Many, first: Entry, source: str) -> Entry:
    """One entry for all of them. Where they had more than one reason, the most frequent is its own."""
    reasons = many.reasons.most_common()
    times = many.reasons.total()
    return Entry(
        id=new_id(),
        service=first.service,
        started_at=first.started_at,
        duration_us=many.last - first.started_at,
        outcome=Outcome.REFUSED,
        reason=reasons[0][0],
        status=first.status,
        times=times,
        detail=f"{times} more calls of nobody who is known here were refused",
        findings=(f"source:{source}", *(f"{reason}:{count}" for reason, count in reasons)),
    )
