"""A database looked at without being changed: is it there, and which schema has it? (Opening a store would
bring it up to date.)
"""

import asyncio
import sqlite3
from importlib import import_module
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

from shared.errors import Unavailable
from shared.store.schema import MIGRATIONS, VERSION_READ

_SECONDS = 5


class Examined(Struct, frozen=True):
    """`version` of its schema, 0 where it is empty or not there yet; `known` is this release's."""

    version: int
    known: int = len(MIGRATIONS)


async def examined(url: str) -> Examined:
    """Raises Unavailable where it does not answer."""
    if urlsplit(url).scheme == "sqlite":
        return Examined(await asyncio.to_thread(_sqlite, Path(unquote(urlsplit(url).path))))
    return Examined(await import_module("shared.store.postgres").version_at(url))


def _sqlite(path: Path) -> int:
    if not path.exists():
        return 0
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_SECONDS)
        try:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchall():
                return 0
            return int(connection.execute(VERSION_READ).fetchone()[0] or 0)
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise Unavailable(f"{path} cannot be read: {error}", cause=error) from error
