"""The demo's processes: each started in a group of its own, waited for, and stopped again whatever
happens.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

_STOP_SECONDS = 30.0


class DemoFailed(Exception):
    """The demo cannot go on; the text says why."""


class Processes:
    """Starts processes and remembers them. `log` collects what they say about themselves."""

    def __init__(self, log: Path) -> None:
        log.unlink(missing_ok=True)
        self._log = log
        self._running: list[asyncio.subprocess.Process] = []
        self._readers: list[asyncio.Task[None]] = []

    async def start(
        self,
        name: str,
        words: Sequence[str],
        environ: Mapping[str, str],
        *,
        until: str,
        seconds: float = 90.0,
    ) -> str:
        """Runs `python -m words…` and returns the first line it prints that holds `until`. Raises
        DemoFailed.
        """
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *words),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=dict(environ),
                start_new_session=True,
            )
        self._running.append(process)
        try:
            async with asyncio.timeout(seconds):
                line = await _line_with(process, until, self._log)
        except TimeoutError:
            raise DemoFailed(f"{name} did not start within {seconds:.0f} s; see {self._log}") from None
        if line is None:
            raise DemoFailed(f"{name} ended before it was ready:\n{_tail(self._log)}")
        self._readers.append(asyncio.create_task(_drain(process, self._log)))
        return line

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Ends every process that was started, the last one first, with everything in its group."""
        for process in reversed(self._running):
            await _end(process)
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)


@contextlib.contextmanager
def step(text: str) -> Iterator[None]:
    """Says what is being done, and how long it took."""
    print(f"  {text} …", end="", flush=True)
    began = time.monotonic()
    try:
        yield
    except BaseException:
        print(" no", flush=True)
        raise
    print(f" {time.monotonic() - began:.1f} s", flush=True)


async def _line_with(process: asyncio.subprocess.Process, until: str, log: Path) -> str | None:
    assert process.stdout is not None
    async for raw in process.stdout:
        _write(log, raw)
        line = raw.decode(errors="replace").rstrip()
        if until in line:
            return line
    return None


async def _drain(process: asyncio.subprocess.Process, log: Path) -> None:
    assert process.stdout is not None
    async for raw in process.stdout:
        _write(log, raw)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        _signal(process, signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            _signal(process, signal.SIGKILL)
            await process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _write(log: Path, raw: bytes) -> None:
    with log.open("ab") as file:
        file.write(raw)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
