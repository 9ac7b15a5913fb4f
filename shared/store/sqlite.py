"""The store on SQLite: one thread that writes, one that reads, a write-ahead log between them."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from shared.errors import Unavailable
from shared.ledger.row import SealedRow
from shared.store.columns import LEDGER, Parsed, Record
from shared.store.cubes import CUBES, Cube, rollups
from shared.store.flavor import SQLITE
from shared.store.objects import Statement, Unmet
from shared.store.relational import Relational
from shared.store.schema import VERSION_READ, VERSION_TABLE, pending

_Result = TypeVar("_Result")


def _add_up(cube: Cube) -> str:
    return (
        f"INSERT INTO {cube.table} ({', '.join(cube.columns)}) VALUES ({', '.join('?' * len(cube.columns))})"
        " ON CONFLICT (span, start, cube) DO UPDATE SET calls = calls + excluded.calls,"
        " tokens_in = tokens_in + excluded.tokens_in, tokens_out = tokens_out + excluded.tokens_out,"
        " cost_micros = cost_micros + excluded.cost_micros"
    )


_INSERT = f"INSERT INTO ledger ({', '.join(LEDGER)}) VALUES ({', '.join('?' * len(LEDGER))})"
_ADD_UP = {cube: _add_up(cube) for cube in CUBES}
_SIGN = "INSERT INTO checkpoints (id, writer, token) VALUES (?, ?, ?)"
_KNOWN = "SELECT id FROM ledger WHERE id IN (SELECT value FROM json_each($1))"
_WAIT_SECONDS = 10
_ATTEMPTS, _PAUSE_SECONDS = 100, 0.02
# Wrong statements or values: waiting for the database would not help.
_MISTAKES = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)


class SqliteStore(Relational):
    """Opens its file when it is first used. Other processes may read and write the same file."""

    flavor = SQLITE

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = _Thread("sqlite-writer", self._connect)
        self._reader = _Thread("sqlite-reader", self._connect)

    async def append(self, rows: Sequence[SealedRow]) -> int:
        return await self._writer.run(partial(_append, rows))

    async def _ask(self, sql: str, values: Sequence[object] = ()) -> list[Record]:
        return await self._reader.run(partial(_execute, sql, values))

    async def _ask_patiently(self, sql: str, values: Sequence[object] = ()) -> list[Record]:
        return await self._ask(sql, values)

    async def _tell(self, sql: str, values: Sequence[object] = ()) -> list[Record]:
        return await self._writer.run(partial(_execute, sql, values))

    async def _tell_all(self, statements: Sequence[tuple[Statement, bool]]) -> None:
        await self._writer.run(partial(_execute_all, statements))

    async def close(self) -> None:
        await self._reader.close()
        await self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Rows name people: whoever may read them is the operator's decision, not the umask's.
        self._path.touch(mode=0o600)
        connection = sqlite3.connect(
            self._path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        _write_ahead(connection)
        # The drain forgets a row once it is committed here: a commit must survive a power cut.
        connection.execute("PRAGMA synchronous = FULL")
        # A page that many batches touch goes from the log to the file once: it halves the writing.
        connection.execute("PRAGMA wal_autocheckpoint = 8000")
        connection.execute("PRAGMA cache_size = -16384")
        # Looked at first without a lock: a reader that opens the file must not wait for a writer.
        if pending(_version(connection), SQLITE):
            with _Transaction(connection):
                connection.execute(VERSION_TABLE)
                for statement in pending(_version(connection), SQLITE):
                    connection.execute(statement)
        return connection


class _Thread:
    """One thread with one connection, opened on first use and again after it could not be."""

    def __init__(self, name: str, connect: Callable[[], sqlite3.Connection]) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._connect = connect
        self._connection: sqlite3.Connection | None = None

    async def run(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._work, work)
        except _MISTAKES:
            raise
        except (sqlite3.DatabaseError, OSError) as error:
            # Gone, locked, full, or no database any more: it is the operator's turn, and traffic goes on.
            raise Unavailable("the database cannot be used now", cause=error) from error

    def _work(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        if self._connection is None:
            self._connection = self._connect()
        return work(self._connection)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._pool, self._close)
        self._pool.shutdown(wait=True)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Transaction:
    """Takes the write lock at once: a transaction that starts as a reader cannot wait for it later."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """SQLite does not wait its usual time for others here: processes that make the file together collide."""
    for _ in range(_ATTEMPTS):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            refused = error
            threading.Event().wait(_PAUSE_SECONDS)
        else:
            return
    raise refused


def _version(connection: sqlite3.Connection) -> int:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchall():
        return 0
    version: int | None = connection.execute(VERSION_READ).fetchone()[0]
    return version or 0


def _execute(sql: str, values: Sequence[object], connection: sqlite3.Connection) -> list[Record]:
    named = {str(number): value for number, value in enumerate(values, start=1)}
    return connection.execute(sql, named).fetchall()


def _execute_all(statements: Sequence[tuple[Statement, bool]], connection: sqlite3.Connection) -> None:
    with _Transaction(connection):
        for number, ((sql, values), find) in enumerate(statements):
            if not _execute(sql, values, connection) and find:
                raise Unmet(number)


def _append(batch: Sequence[SealedRow], connection: sqlite3.Connection) -> int:
    parsed = Parsed(batch)
    with _Transaction(connection):
        ids = msgspec.json.encode(list(parsed.records)).decode()
        known = {str(record[0]) for record in connection.execute(_KNOWN, {"1": ids})}
        fresh = [record for key, record in parsed.records.items() if key not in known]
        connection.executemany(_INSERT, fresh)
        for cube, lines in rollups(fresh):
            connection.executemany(_ADD_UP[cube], lines)
        connection.executemany(_SIGN, [token for key, token in parsed.tokens.items() if key not in known])
    return len(fresh)
