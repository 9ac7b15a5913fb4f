"""Work that goes on beside serving: somebody starts it, notices when it dies, and ends it."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

_LOG = logging.getLogger("gatestack")  # noqa: TID251  no request is near


def owned(work: Coroutine[Any, Any, None], name: str, failed: asyncio.Event) -> asyncio.Task[None]:
    """Starts background work; should it ever die, `failed` is set, and the process stops instead of limping
    on.
    """

    async def guarded() -> None:
        try:
            await work
        except Exception:
            _LOG.exception("the background task %s died: stopping", name)
            failed.set()

    return asyncio.create_task(guarded(), name=name)


async def cancelled(task: asyncio.Task[None]) -> None:
    """Cancels a task and waits until it has gone."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
