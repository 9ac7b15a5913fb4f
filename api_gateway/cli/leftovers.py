"""One `gatestack up` a state directory; and what one that was killed leaves behind: services that notice and
stop by themselves. The next one waits for them, since it would find its addresses taken.

`up.lock` is locked by whoever runs there, `services.lock` by that one and each of its services: the system
frees a lock when the last process that has it is gone, so that none outlives a kill.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

_GLANCE_SECONDS = 0.05
_LONGEST_PID = 20


class Taken(Exception):
    """Another `gatestack up` runs in this state directory; `pid` is its process, "" where nobody can tell."""

    def __init__(self, pid: str) -> None:
        super().__init__(pid)
        self.pid = pid


@contextlib.contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Nobody else gets in while the block runs. Raises Taken."""
    with contextlib.ExitStack() as stack:
        own = _opened(directory / "up.lock", stack)
        if own is not None and not _locked(own):
            pid = os.pread(own, _LONGEST_PID, 0).decode("ascii", "replace").strip()
            raise Taken(pid if pid.isdigit() else "")
        if own is not None:
            _sign(own)
        yield


@contextlib.asynccontextmanager
async def leftovers_gone(
    directory: Path, stop: asyncio.Event, seconds: float, say: Callable[[str], None]
) -> AsyncIterator[tuple[int, ...]]:
    """Waits up to `seconds` for the services that a killed `gatestack up` has left in this state directory,
    and yields what our own have to inherit, so that the next one knows of them. For who is `alone` there.
    """
    with contextlib.ExitStack() as stack:
        services = _opened(directory / "services.lock", stack)
        if services is None:
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


def _sign(own: int) -> None:
    """Leaves word of who has the lock. A full disk takes none, and the lock holds without it."""
    with contextlib.suppress(OSError):
        os.ftruncate(own, 0)
        os.pwrite(own, f"{os.getpid()}\n".encode(), 0)
