"""Small things that are still to be said to a server when nobody waits for the answer: cancellations,
farewells.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

_LOG = logging.getLogger("gatestack")  # noqa: TID251  nothing here belongs to one request
_MOST = 256
_SECONDS = 5.0


class Chores:
    """Owns its tasks: bounded in number and time, cancelled and awaited on close."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, work: Coroutine[Any, Any, object]) -> None:
        if len(self._tasks) >= _MOST:
            work.close()
            return
        task = asyncio.create_task(_bounded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _bounded(work: Coroutine[Any, Any, object]) -> None:
    try:
        async with asyncio.timeout(_SECONDS):
            await work
    except Exception as error:
        _LOG.debug("a message to an MCP server was not delivered: %r", error)
