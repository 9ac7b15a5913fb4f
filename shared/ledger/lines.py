"""A file of rows that wait: whole JSON lines, one lock, and nothing half written that anybody would read.

Everything in here blocks: the journal calls it from a thread of its own.
"""

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path

import msgspec
from msgspec import Raw, Struct

from shared.ledger.row import SealedRow

_CHUNK = 1 << 20


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


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Waiting).decode


class LineFile:
    """One locked file of lines; `size` is where the last whole line ends. Used from the journal's thread
    only."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._damaged = False
        self.size = os.fstat(descriptor).st_size

    @classmethod
    def create(cls, path: Path) -> "LineFile":
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
    def inherit(cls, path: Path) -> "LineFile | None":
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


def encode(line: Waiting) -> bytes:
    return _encode(line) + b"\n"


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
