"""What one client hears of servers while it listens: read from as many as it has reason to, and never longer
than it does.
"""

import asyncio
from collections.abc import Mapping, Sequence

from mcp_gateway.standing.changes import Said, listen
from mcp_gateway.standing.watches import Watch
from mcp_gateway.upstreams.upstream import Aside, Hearing, Peer, Upstream

_MOST_WAITING = 1000


class Heard:
    """`notes` are what servers tell, `asides` what they ask outside of calls (None where nobody can be)."""

    def __init__(self, upstreams: Mapping[str, Upstream], peer: Peer, *, askable: bool) -> None:
        self.notes: asyncio.Queue[Said] = asyncio.Queue(_MOST_WAITING)
        self.asides: asyncio.Queue[Aside] | None = asyncio.Queue(_MOST_WAITING) if askable else None
        self._upstreams = upstreams
        self._peer = peer
        self._names: dict[tuple[str, str], str] = {}
        self._uris: dict[str, tuple[str, ...]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def name(self, server: str, uri: str) -> str | None:
        """What the client calls a resource that it wants to hear of."""
        return self._names.get((server, uri))

    def attend(self, watches: Sequence[Watch], always: str = "") -> None:
        """Listens to the servers of `watches` and to `always`, and to no others any more."""
        self._names = {(watch.server, watch.uri): watch.exposed for watch in watches}
        wanted: dict[str, tuple[str, ...]] = {always: ()} if always else {}
        for watch in watches:
            wanted[watch.server] = (*wanted.get(watch.server, ()), watch.uri)
        for server in [server for server in self._tasks if self._uris[server] != wanted.get(server)]:
            self._tasks.pop(server).cancel()
        self._uris = wanted
        for server, uris in wanted.items():
            if server not in self._tasks:
                hearing = Hearing(peer=self._peer, uris=uris, asides=self.asides, lists=False)
                self._tasks[server] = asyncio.create_task(
                    listen(self._upstreams[server], hearing, self.notes)
                )

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
