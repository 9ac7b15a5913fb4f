"""Sessions with one server of the session era: one for each principal, opened when first needed, the oldest
let go.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from msgspec import Struct

Owner = tuple[str, ...]
_MOST = 512


class Session(Struct):
    """`id` is empty where a server keeps none. `proven` once the server has accepted it for a call."""

    id: str
    version: str
    proven: bool = False


class SessionPool:
    """`open` begins a session, `end` is told of each that is let go while the server still knows it."""

    def __init__(self, open: Callable[[], Awaitable[Session]], end: Callable[[Session], None]) -> None:
        self._open = open
        self._end = end
        self._sessions: OrderedDict[Owner, Session] = OrderedDict()
        self._opening: dict[Owner, asyncio.Lock] = {}

    async def take(self, owner: Owner) -> Session:
        session = self._sessions.get(owner)
        if session is not None:
            self._sessions.move_to_end(owner)
            return session
        lock = self._opening.setdefault(owner, asyncio.Lock())
        try:
            async with lock:
                if (session := self._sessions.get(owner)) is None:
                    session = await self._open()
                    self.keep(owner, session)
        finally:
            if not lock.locked():
                self._opening.pop(owner, None)
        return session

    def keep(self, owner: Owner, session: Session) -> None:
        self._sessions[owner] = session
        while len(self._sessions) > _MOST:
            self._end(self._sessions.popitem(last=False)[1])

    def drop(self, owner: Owner, session: Session) -> None:
        """Forgets a session that the server does not know any more, unless it has been replaced already."""
        if self._sessions.get(owner) is session:
            del self._sessions[owner]

    def drain(self) -> list[Session]:
        """All sessions, forgotten."""
        sessions = list(self._sessions.values())
        self._sessions.clear()
        return sessions
