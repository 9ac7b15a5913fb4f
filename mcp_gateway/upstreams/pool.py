"""Sessions with one server of the session era: one for each peer, opened when needed, the oldest let go."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from msgspec import Struct

from mcp_gateway.upstreams.standing import Standing
from mcp_gateway.upstreams.upstream import Peer

_MOST = 512
S = TypeVar("S")


class Session(Struct):
    """`id` is empty where a server keeps none. `proven` once the server has accepted it for a call.
    `standing` is where it speaks without being asked, `owner` whose credential it was begun with.
    """

    id: str
    version: str
    standing: Standing
    proven: bool = False
    owner: tuple[str, ...] = ()

    @property
    def forgotten(self) -> tuple[int, ...]:
        """What the server says when it has: 404 by the standard, and often 400 after a restart."""
        return (400, 404) if self.proven else (404,)


class Pool(Generic[S]):
    """`open` begins a session, `end` is told of each that is let go while the server still knows it."""

    def __init__(self, open: Callable[[Peer], Awaitable[S]], end: Callable[[S], None]) -> None:
        self._open = open
        self._end = end
        self._sessions: OrderedDict[Peer, S] = OrderedDict()
        self._opening: dict[Peer, asyncio.Lock] = {}

    async def take(self, peer: Peer) -> S:
        session = self._sessions.get(peer)
        if session is not None:
            self._sessions.move_to_end(peer)
            return session
        lock = self._opening.setdefault(peer, asyncio.Lock())
        try:
            async with lock:
                if (session := self._sessions.get(peer)) is None:
                    session = await self._open(peer)
                    self.keep(peer, session)
        finally:
            if not lock.locked():
                self._opening.pop(peer, None)
        return session

    def keep(self, peer: Peer, session: S) -> None:
        self._sessions[peer] = session
        while len(self._sessions) > _MOST:
            self._end(self._sessions.popitem(last=False)[1])

    def drop(self, peer: Peer, session: S) -> None:
        """Forgets a session that the server does not know any more, unless it has been replaced already."""
        if self._sessions.get(peer) is session:
            del self._sessions[peer]

    def drain(self) -> list[S]:
        """All sessions, forgotten."""
        sessions = list(self._sessions.values())
        self._sessions.clear()
        return sessions
