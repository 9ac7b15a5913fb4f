"""Who wants to know that the lists of a server have changed. Servers are listened to while anybody does."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import aclosing

from mcp_gateway.catalog import Catalog
from mcp_gateway.upstreams.upstream import Hearing, Listens, Upstream
from shared.errors import UpstreamFault
from shared.jsonrpc import Envelope

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_MOST_WAITING = 1000
# What has changed at a server: the notification that said so, or nothing where it may be anything.
Change = tuple[str, str]
# A message, and which server it is from.
Said = tuple[str, Envelope]


class Changes:
    """Told by servers, and by whoever decides what is trusted; tells the catalog first."""

    def __init__(self, catalog: Catalog, upstreams: dict[str, Upstream]) -> None:
        self._catalog = catalog
        self._upstreams = upstreams
        self._wanted: Counter[str] = Counter()
        self._listening: dict[str, asyncio.Task[None]] = {}
        self._queues: set[asyncio.Queue[Change]] = set()
        self._telling: dict[str, tuple[set[str], asyncio.Task[None]]] = {}

    @property
    def servers(self) -> tuple[str, ...]:
        return self._catalog.servers

    def changed(self, server: str, method: str) -> None:
        self._catalog.changed(server)
        self._tell(server, method)

    def decided(self, server: str) -> None:
        self._catalog.decided(server)
        self._tell(server, "")

    @contextlib.contextmanager
    def heard(self, servers: Sequence[str]) -> Iterator[asyncio.Queue[Change]]:
        """What changes, for as long as the block lasts."""
        queue: asyncio.Queue[Change] = asyncio.Queue(_MOST_WAITING)
        self._queues.add(queue)
        for server in servers:
            self._want(server)
        try:
            yield queue
        finally:
            self._queues.discard(queue)
            for server in servers:
                self._release(server)

    async def close(self) -> None:
        tasks = [*self._listening.values(), *(task for _, task in self._telling.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tell(self, server: str, method: str) -> None:
        if not self._queues:
            return
        if server in self._telling:
            self._telling[server][0].add(method)
            return
        methods = {method}
        self._telling[server] = (methods, asyncio.create_task(self._tell_later(server, methods)))

    async def _tell_later(self, server: str, methods: set[str]) -> None:
        """Once the new list is there: whoever hears of it asks for it at once."""
        try:
            await self._catalog.renewed(server)
        finally:
            del self._telling[server]
        for queue in self._queues:
            for method in sorted(methods):
                # Whoever has not read a thousand of them reads its lists anew anyway.
                with contextlib.suppress(asyncio.QueueFull):
                    queue.put_nowait((server, method))

    def _want(self, server: str) -> None:
        self._wanted[server] += 1
        if self._wanted[server] == 1:
            self._listening[server] = asyncio.create_task(listen(self._upstreams[server], Hearing()))

    def _release(self, server: str) -> None:
        self._wanted[server] -= 1
        if self._wanted[server] == 0:
            self._listening.pop(server).cancel()


async def listen(upstream: Upstream, hearing: Hearing, notes: asyncio.Queue[Said] | None = None) -> None:
    """Hears a server out, again and again, until it has nothing (more) to say or this is cancelled."""
    if not isinstance(upstream, Listens):
        return
    pause = _FIRST_PAUSE
    while True:
        with contextlib.suppress(UpstreamFault):
            async with aclosing(upstream.listen(hearing)) as said:
                async for message in said:
                    pause = _FIRST_PAUSE
                    if notes is not None and not notes.full():
                        notes.put_nowait((upstream.name, message))
            return
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
