"""The journal: a file in which a writer's rows wait while Redis does not take them, one JSON line each.

A line is on disk before `append` returns; appends that arrive together share one sync. The file is locked for
as long as its writer lives, so a file that can be locked was left by a dead one, and anybody may send what is
in it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from shared.errors import Unavailable
from shared.ledger.lines import LineFile, Waiting, encode

_AT_ONCE = 64


Send = Callable[[Waiting], Awaitable[None]]


class Journal:
    """The journals of one directory: `claim` names our own, every other is somebody else's."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / "unclaimed.jsonl"
        self._file: LineFile | None = None
        self._sent = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._queue: list[tuple[bytes, asyncio.Future[Exception | None]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._using = asyncio.Lock()

    def claim(self, writer: str) -> None:
        self._path = self._directory / f"{writer}.jsonl"

    @property
    def waiting(self) -> int:
        """Bytes of ours that wait to be sent."""
        return 0 if self._file is None else self._file.size - self._sent

    async def append(self, line: Waiting) -> None:
        """Returns when the line is on disk. Raises Unavailable when the disk does not take it."""
        done: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._queue.append((encode(line), done))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        # Whoever waits may be cancelled; the line is written all the same.
        error = await asyncio.shield(done)
        if error is not None:
            raise Unavailable("the ledger's journal cannot be written", cause=error)

    async def replay(self, send: Send) -> int:
        """Sends all that waits, ours and what the dead left; raises what `send` raises. Files leave when all
        is sent."""
        count = await self._replay_own(send)
        for path in await self._in_thread(self._others):
            count += await self._replay_other(path, send)
        return count

    async def close(self) -> None:
        """Waits for what is being written. A file that is not empty stays, for the next process to send."""
        if self._flushing is not None:
            await self._flushing
        async with self._using:
            if self._file is not None:
                await self._in_thread(self._file.close)
                self._file = None
        self._thread.shutdown(wait=True)

    async def _flush(self) -> None:
        async with self._using:
            while self._queue:
                batch, self._queue = self._queue, []
                error = await self._written(b"".join(line for line, _ in batch))
                for _, done in batch:
                    done.set_result(error)
            self._flushing = None

    async def _written(self, data: bytes) -> Exception | None:
        try:
            await self._in_thread(self._write, data)
        except (OSError, RuntimeError) as error:  # a RuntimeError: this journal is closed
            return error
        return None

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._file = LineFile.create(self._path)
        self._file.write(data)

    async def _replay_own(self, send: Send) -> int:
        count = 0
        while self._file is not None:
            lines, end = await self._in_thread(self._file.read, self._sent)
            count += await _send_all(lines, send)
            self._sent = end
            async with self._using:
                # Nobody can append between this look and the removal.
                if self._sent == self._file.size:
                    await self._in_thread(self._file.remove)
                    self._file, self._sent = None, 0
        return count

    async def _replay_other(self, path: Path, send: Send) -> int:
        file = await self._in_thread(LineFile.inherit, path)
        if file is None:
            return 0
        count = position = 0
        try:
            while position < file.size:
                lines, position = await self._in_thread(file.read, position)
                count += await _send_all(lines, send)
            await self._in_thread(file.remove)
        finally:
            await self._in_thread(file.close)
        return count

    def _others(self) -> list[Path]:
        return sorted(path for path in self._directory.glob("*.jsonl") if path != self._path)

    async def _in_thread(self, work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)


async def _send_all(lines: list[Waiting], send: Send) -> int:
    for start in range(0, len(lines), _AT_ONCE):
        results = await asyncio.gather(*map(send, lines[start : start + _AT_ONCE]), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
    return len(lines)
