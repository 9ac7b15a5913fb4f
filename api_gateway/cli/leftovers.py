"""What a `gatestack up` that was killed leaves behind: services that notice and stop by themselves. The next
one waits for them, since it would find its addresses taken.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

_GLANCE_SECONDS = 0.05


@contextlib.asynccontextmanager
async def leftovers_gone(
    directory: Path, stop: asyncio.Event, seconds: float, say: Callable[[str], None]
) -> AsyncIterator[tuple[int, ...]]:
    """Waits up to `seconds` for the services that a killed `gatestack up` has left in this state directory,
    and yields what our own have to inherit, so that the next one knows of them.

    `up.lock` is locked by whoever runs there, `services.lock` by that one and each of its services: the
    system frees a lock when the last process that has it is gone. Another one that lives is not waited for:
    its addresses need not be ours.
    """
    with contextlib.ExitStack() as stack:
        own = _opened(directory / "up.lock", stack)
        services = _opened(directory / "services.lock", stack)
        if own is None or services is None or not _locked(own):
            yield ()
            return
        await _wait(services, stop, seconds, say)
        yield (services,)


async def _wait(services: int, stop: asyncio.Event, seconds: float, say: Callable[[str], None]) -> None:
    if _locked(services):
        return
    say(f"waiting for the services of a `gatestack up` that was killed: they stop within {seconds:.0f} s")
    loop = asyncio.get_running_loop()
    patience = loop.time() + seconds
    while not stop.is_set() and not _locked(services):
        if loop.time() > patience:
            say("they still run")
            return
        await asyncio.sleep(_GLANCE_SECONDS)


def _opened(path: Path, stack: contextlib.ExitStack) -> int | None:
    """None where nothing can be written: the services tell what they need of that."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        found = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
    stack.callback(os.close, found)
    return found


def _locked(descriptor: int) -> bool:
    """Whether the lock is ours now. A file system without locks has none to wait for."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
