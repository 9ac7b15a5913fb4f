"""Wakes the calls of this process that wait for a decision, wherever it was made."""

import asyncio
import contextlib
from collections.abc import Iterator

from shared.approvals.book import CHANNEL
from shared.redis_client import Redis


class Bell:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: dict[str, set[asyncio.Event]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        async with self._redis.subscribe(CHANNEL) as messages:
            async for message in messages:
                self._ring(message.decode("utf-8", "replace"))

    @contextlib.contextmanager
    def hearing(self, approval: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever there may be news of `approval`."""
        rung = asyncio.Event()
        self._waiting.setdefault(approval, set()).add(rung)
        try:
            yield rung
        finally:
            others = self._waiting[approval]
            others.discard(rung)
            if not others:
                del self._waiting[approval]

    def _ring(self, approval: str) -> None:
        """An empty message means that others may have been missed."""
        named = self._waiting.get(approval, ()) if approval else set().union(*self._waiting.values())
        for rung in named:
            rung.set()
