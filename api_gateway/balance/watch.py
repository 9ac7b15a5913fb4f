"""What goes on beside the requests: health checks and DNS, for all pools of one process."""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable, Sequence

from api_gateway.balance.pool import Pool
from api_gateway.balance.probe import JITTER, probe
from api_gateway.balance.resolve import Lookup, resolve
from api_gateway.balance.settings import DNS
from shared.http_client import HttpClient


class Watch:
    """`await start()` before the first request, then own `run()` as a task."""

    def __init__(self, pools: Sequence[Pool], http: HttpClient, *, lookup: Lookup | None = None) -> None:
        self.pools = tuple(pools)
        self._named = [pool for pool in pools if any(one.startswith(DNS) for one in pool.addresses)]
        self._checked = [pool for pool in pools if pool.rule.health is not None]
        self._http = http
        self._lookup = lookup or _lookup
        self._dice = random.Random()  # noqa: S311  moments, no secrets

    async def start(self) -> None:
        """Names are known when this returns, as far as DNS answers."""
        await asyncio.gather(*(resolve(pool, self._lookup) for pool in self._named))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for pool in self._named:
                group.create_task(self._resolving(pool))
            for pool in self._checked:
                group.create_task(self._probing(pool))

    async def _resolving(self, pool: Pool) -> None:
        await self._every(pool.rule.dns_seconds, lambda: resolve(pool, self._lookup))

    async def _probing(self, pool: Pool) -> None:
        health = pool.rule.health
        assert health is not None
        await self._every(health.interval_seconds * (1 - JITTER), lambda: probe(pool, self._http, self._dice))

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await work()
            await asyncio.sleep(seconds * (1 + JITTER * (self._dice.random() - 0.5)))


async def _lookup(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]
