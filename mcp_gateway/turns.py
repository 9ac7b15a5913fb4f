"""Whether one call more may be under way at a server: none where it is left alone; more than it may have wait
a moment, and are then told to come again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from mcp_gateway.circuits import Circuits
from mcp_gateway.config import ServerRule
from shared.errors import LimitExceeded

_WAIT_SECONDS = 2.0
_RETRY_SECONDS = 1.0


class Turns:
    """Counted in this process: each replica has its own share."""

    def __init__(
        self, rules: Mapping[str, ServerRule], circuits: Circuits, wait_seconds: float = _WAIT_SECONDS
    ) -> None:
        self._circuits = circuits
        self._free = {
            server: asyncio.Semaphore(rule.concurrency)
            for server, rule in rules.items()
            if rule.concurrency is not None
        }
        self._wait = wait_seconds

    @contextlib.asynccontextmanager
    async def taken(self, server: str) -> AsyncIterator[None]:
        """For as long as the block lasts, one call more is under way; how it ends tells how the server is.
        Raises LimitExceeded, UpstreamUnreachable.
        """
        with self._circuits.guarded(server):
            async with self._turn(server):
                yield

    @contextlib.asynccontextmanager
    async def _turn(self, server: str) -> AsyncIterator[None]:
        free = self._free.get(server)
        if free is None:
            yield
            return
        try:
            async with asyncio.timeout(self._wait):
                await free.acquire()
        except TimeoutError:
            raise LimitExceeded(
                f"the MCP server {server!r} has as many calls under way as it may have",
                retry_after=_RETRY_SECONDS,
            ) from None
        try:
            yield
        finally:
            free.release()
