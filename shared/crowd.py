"""How many connections a listener has at once, and who goes when there are too many: whoever has been unused
for longest, and where all are in use, who comes.
"""

import asyncio
import logging
from collections.abc import Callable

_LOG = logging.getLogger("gatestack.server")  # noqa: TID251  as the server's own
_TELL_SECONDS = 60.0
Leave = Callable[[], None]


class Crowd:
    """Members are named by how they are told to leave."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._members: set[Leave] = set()
        # Those that are not in use, the longest first.
        self._unused: dict[Leave, None] = {}
        self._told = float("-inf")

    def enter(self, member: Leave) -> bool:
        """Is there a place? Its member begins unused."""
        if len(self._members) >= self._most:
            self._tell()
            if not self._unused:
                return False
            longest = next(iter(self._unused))
            self.leave(longest)
            longest()
        self._members.add(member)
        self._unused[member] = None
        return True

    def leave(self, member: Leave) -> None:
        self._members.discard(member)
        self._unused.pop(member, None)

    def used(self, member: Leave) -> None:
        self._unused.pop(member, None)

    def unused(self, member: Leave) -> None:
        if member in self._members:
            self._unused[member] = None

    def _tell(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._told + _TELL_SECONDS:
            self._told = now
            _LOG.warning(
                "%d connections are open, the most there may be: those unused for longest are closed",
                self._most,
            )
