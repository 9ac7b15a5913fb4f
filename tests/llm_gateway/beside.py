"""A real gateway in a thread of its own, for tests that are not written for an event loop: Schemathesis and
Hypothesis call from outside, as any client does.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar

Opened = TypeVar("Opened")
Result = TypeVar("Result")
_SECONDS = 20.0


class Beside(Generic[Opened]):
    """`world` is what was opened there."""

    def __init__(self, world: Opened, runner: asyncio.AbstractEventLoop) -> None:
        self.world = world
        self._loop = runner

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Does `work` there. Fails the test where that takes longer than anything here may."""
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, _SECONDS), self._loop).result()


@contextlib.contextmanager
def beside(open_world: Callable[[], AbstractAsyncContextManager[Opened]]) -> Iterator[Beside[Opened]]:
    """Opens a world in a thread and closes it there again."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="beside")
    thread.start()
    try:
        held = _Held(open_world)
        world = asyncio.run_coroutine_threadsafe(held.open(), loop).result(_SECONDS)
        try:
            yield Beside(world, loop)
        finally:
            asyncio.run_coroutine_threadsafe(held.close(), loop).result(_SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_SECONDS)
        loop.close()


class _Held(Generic[Opened]):
    """Opened and closed by one task: some parts insist on that."""

    def __init__(self, open_world: Callable[[], AbstractAsyncContextManager[Opened]]) -> None:
        self._open_world = open_world
        self._over = asyncio.Event()

    async def open(self) -> Opened:
        world: asyncio.Future[Opened] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._hold(world))
        await asyncio.wait((self._task, world), return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            await self._task
        return await world

    async def close(self) -> None:
        self._over.set()
        await self._task

    async def _hold(self, world: asyncio.Future[Opened]) -> None:
        async with self._open_world() as opened:
            world.set_result(opened)
            await self._over.wait()
