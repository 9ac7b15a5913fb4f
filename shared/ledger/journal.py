"""The journal: a file in which a writer's rows wait while Redis does not take them, one JSON line each.

A line is on disk before `append` returns; appends that arrive together share one sync. The file is locked for
as long as its writer lives, so a file that can be locked was left by a dead one, and anybody may send what is
in it.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from shared.errors import Unavailable
from shared.ledger.row import SealedRow

_CHUNK = 1 << 20
_AT_ONCE = 64


class Waiting(Struct, frozen=True):
    """A row that could not be sent. `settlement` is what else has to be told with it, as the writer wrote
    it."""

    tenant: str
    hash: str
    row: Raw
    settlement: Raw = Raw(b"null")

    @property
    def sealed(self) -> SealedRow:
        return SealedRow(bytes(self.row), bytes.fromhex(self.hash))


Send = Callable[[Waiting], Awaitable[None]]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Waiting).decode


class Journal:
    """The journals of one directory: `claim` names our own, every other is somebody else's."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / "unclaimed.jsonl"
        self._file: _Lines | None = None
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
        self._queue.append((_encode(line) + b"\n", done))
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
            self._file = _Lines.create(self._path)
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
        file = await self._in_thread(_Lines.inherit, path)
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


class _Lines:
    """One locked file of lines; `size` is where the last whole line ends. Used from the journal's thread
    only."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._damaged = False
        self.size = os.fstat(descriptor).st_size

    @classmethod
    def create(cls, path: Path) -> "_Lines":
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            # Somebody may hold it for an instant, to look whether it is a dead writer's.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _still_there(path, descriptor):
                _sync_directory(path.parent)
                return cls(path, descriptor)
            os.close(descriptor)

    @classmethod
    def inherit(cls, path: Path) -> "_Lines | None":
        """A dead writer's file; None when its writer lives, or somebody else was faster."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        if not _still_there(path, descriptor):
            os.close(descriptor)
            return None
        return cls(path, descriptor)

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fdatasync(self._descriptor)
        except OSError:
            # Half a line would spoil the next one.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(data)

    def read(self, start: int) -> tuple[list[Waiting], int]:
        """Some lines from `start` on, and where they end."""
        want = _CHUNK
        while True:
            data = os.pread(self._descriptor, min(want, self.size - start), start)
            end = data.rfind(b"\n") + 1
            if end or start + len(data) >= self.size:
                break
            want *= 2
        if not end:
            # Torn: the writer died in the middle of it, and nobody was told that it was kept.
            return [], self.size
        parsed = [_parse(line) for line in data[:end].splitlines()]
        whole = [line for line in parsed if line is not None]
        self._damaged = self._damaged or len(whole) < len(parsed)
        return whole, start + end

    def remove(self) -> None:
        if self._damaged:
            # Not ours to judge: an operator may want to look what it was.
            self._path.replace(self._path.with_suffix(".damaged"))
        else:
            self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _parse(line: bytes) -> Waiting | None:
    try:
        waiting = _decode(line)
    except msgspec.MsgspecError:
        return None
    return waiting if hashlib.sha256(waiting.row).hexdigest() == waiting.hash else None


def _still_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
