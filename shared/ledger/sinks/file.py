"""Exported rows as JSON lines, in a file or on standard output."""

import asyncio
import contextlib
import io
import os
from typing import BinaryIO

from shared.ledger.exported import line_of
from shared.store import KeptRow


class FileSink:
    """Owns `file`. What was sent is on the disk, where there is one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    async def send(self, writer: str, rows: list[KeptRow]) -> None:
        content = b"".join(line_of(writer, row) + b"\n" for row in rows)
        await asyncio.to_thread(self._write, content)

    async def close(self) -> None:
        self._file.flush()
        # Standard output is not ours alone.
        if getattr(self._file, "name", "") != "<stdout>":
            self._file.close()

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._file.flush()
        # A pipe or a terminal has no disk below it.
        with contextlib.suppress(OSError, io.UnsupportedOperation):
            os.fsync(self._file.fileno())
