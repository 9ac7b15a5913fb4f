"""The last good snapshots on a region's own disk: what it obeys when Redis has lost them and nobody can be
asked. They are signed, and verified again when they are read.
"""

import asyncio
import re
from pathlib import Path

from shared.replace_file import replace_file

_SUFFIX = ".snapshot"
NAME = re.compile(r"[a-z][a-z_]{0,31}")


class Kept:
    """A file a snapshot in `directory`, readable by this user only: digests of keys are among them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def load(self) -> dict[str, bytes]:
        """All there are, by name. Raises OSError."""
        return await asyncio.to_thread(self._load)

    async def keep(self, name: str, value: bytes) -> None:
        """Raises OSError."""
        await asyncio.to_thread(self._keep, name, value)

    def _load(self) -> dict[str, bytes]:
        files = sorted(self._directory.glob(f"*{_SUFFIX}"))
        return {file.stem: file.read_bytes() for file in files if NAME.fullmatch(file.stem)}

    def _keep(self, name: str, value: bytes) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(self._directory / f"{name}{_SUFFIX}", value)
