"""A bound on each of many short waits, such as for the pieces of a stream. For a single wait there is
`asyncio.timeout`.
"""

import asyncio
from types import TracebackType
from typing import Any


class Idle:
    """`with idle:` around each wait is `asyncio.timeout(seconds)` around each, for the price of reading the
    clock: one timer stays armed over all of them and looks, when it fires, how long the wait of that moment
    has lasted. None bounds nothing. `close` it after the last wait.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any] | None = None
        self._since = 0.0
        self._cancelling = 0
        self._late = False

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __enter__(self) -> None:
        if self._seconds is None:
            return
        self._task = asyncio.current_task()
        assert self._task is not None
        self._cancelling = self._task.cancelling()
        loop = asyncio.get_running_loop()
        self._since = loop.time()
        if self._timer is None:
            self._timer = loop.call_at(self._since + self._seconds, self._look)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Raises TimeoutError where the wait was ended for its length."""
        task, self._task = self._task, None
        if not self._late or task is None:
            return
        self._late = False
        # Somebody else may have cancelled the task as well: that goes first (as in `asyncio.timeout`).
        if task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _look(self) -> None:
        self._timer = None
        if self._task is None or self._seconds is None:
            return
        loop, end = asyncio.get_running_loop(), self._since + self._seconds
        if loop.time() >= end:
            self._late = True
            self._task.cancel()
        else:
            self._timer = loop.call_at(end, self._look)
