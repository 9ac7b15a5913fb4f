"""The store on PostgreSQL: batches arrive by COPY in a temporary table and are merged from there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import asyncpg

from shared.errors import Unavailable
from shared.ledger.row import SealedRow
from shared.store.columns import LEDGER, MEASURES, Parsed, Record
from shared.store.cubes import CUBES, Cube, rollups
from shared.store.flavor import POSTGRES
from shared.store.objects import Statement, Unmet
from shared.store.relational import Relational
from shared.store.schema import VERSION_READ, VERSION_TABLE, pending

_STAGE = "CREATE TEMP TABLE IF NOT EXISTS staged_rows (LIKE ledger) ON COMMIT DELETE ROWS"
_MERGE = (
    f"INSERT INTO ledger ({', '.join(LEDGER)}) SELECT {', '.join(LEDGER)} FROM staged_rows ORDER BY id"
    " ON CONFLICT (id) DO NOTHING RETURNING id"
)


def _add_up(cube: Cube) -> str:
    types = ("bigint", "bigint", "bytea", *("text" for _ in cube.dimensions), *("bigint" for _ in MEASURES))
    table = cube.table
    return (
        f"INSERT INTO {table} ({', '.join(cube.columns)})"
        f" SELECT * FROM unnest({', '.join(f'${n}::{kind}[]' for n, kind in enumerate(types, start=1))})"
        f" ON CONFLICT (span, start, cube) DO UPDATE SET calls = {table}.calls + excluded.calls,"
        f" tokens_in = {table}.tokens_in + excluded.tokens_in,"
        f" tokens_out = {table}.tokens_out + excluded.tokens_out,"
        f" cost_micros = {table}.cost_micros + excluded.cost_micros"
    )


_ADD_UP = {cube: _add_up(cube) for cube in CUBES}
_SIGN = "INSERT INTO checkpoints (id, writer, token) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])"
# Any number nobody else takes: replicas that start together must migrate one after another.
_MIGRATION_LOCK = 0x6761_7465
_CONNECTIONS = 4
_CONNECT_SECONDS = 5
_CLOSE_SECONDS = 2
_STATEMENT_SECONDS, _PATIENT_SECONDS = 60, 3600

_GONE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class PostgresStore(Relational):
    """Connects when it is first used, and again after the server was gone."""

    flavor = POSTGRES

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    async def append(self, rows: Sequence[SealedRow]) -> int:
        parsed = Parsed(rows)
        async with self._connection() as connection, connection.transaction():
            await connection.copy_records_to_table(
                "staged_rows", records=list(parsed.records.values()), columns=LEDGER
            )
            fresh = sorted(record["id"] for record in await connection.fetch(_MERGE))
            for cube, lines in rollups(parsed.records[key] for key in fresh):
                await connection.execute(_ADD_UP[cube], *zip(*lines, strict=True))
            if signed := [parsed.tokens[key] for key in fresh if key in parsed.tokens]:
                await connection.execute(_SIGN, *zip(*signed, strict=True))
        return len(fresh)

    async def _ask(self, sql: str, values: Sequence[object] = ()) -> list[Record]:
        async with self._connection() as connection:
            return [tuple(record) for record in await connection.fetch(sql, *values)]

    async def _ask_patiently(self, sql: str, values: Sequence[object] = ()) -> list[Record]:
        async with self._connection() as connection:
            found = await connection.fetch(sql, *values, timeout=_PATIENT_SECONDS)
            return [tuple(record) for record in found]

    async def _tell(self, sql: str, values: Sequence[object] = ()) -> list[Record]:
        return await self._ask(sql, values)

    async def _tell_all(self, statements: Sequence[tuple[Statement, bool]]) -> None:
        async with self._connection() as connection, connection.transaction():
            for number, ((sql, values), find) in enumerate(statements):
                if not await connection.fetch(sql, *values) and find:
                    raise Unmet(number)

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        try:
            pool = self._pool or await self._open()
            async with pool.acquire(timeout=_CONNECT_SECONDS) as connection:
                yield connection
        except _GONE as error:
            if isinstance(error, ValueError):
                # The values or the URL are wrong: waiting for the database would not help.
                raise
            raise Unavailable("the database cannot be used now", cause=error) from error

    async def _open(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                await self._migrate()
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=1,
                    max_size=_CONNECTIONS,
                    timeout=_CONNECT_SECONDS,
                    command_timeout=_STATEMENT_SECONDS,
                    init=_staged,
                )
            return self._pool

    async def _migrate(self) -> None:
        # Without a limit: adding up what a large database holds takes minutes, once.
        connection = await asyncpg.connect(self._url, timeout=_CONNECT_SECONDS)
        try:
            async with connection.transaction():
                await connection.execute(
                    "SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK, timeout=_STATEMENT_SECONDS
                )
                await connection.execute(VERSION_TABLE)
                for statement in pending(await connection.fetchval(VERSION_READ) or 0, POSTGRES):
                    await connection.execute(statement)
        finally:
            await connection.close()


async def _staged(connection: asyncpg.Connection) -> None:
    await connection.execute(_STAGE)


async def version_at(url: str) -> int:
    """The schema that is there, 0 where there is none. Raises Unavailable."""
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_SECONDS, command_timeout=_STATEMENT_SECONDS)
        try:
            there = await connection.fetchval("SELECT to_regclass('schema_version') IS NOT NULL")
            return int(await connection.fetchval(VERSION_READ) or 0) if there else 0
        finally:
            await connection.close()
    except (*_GONE, asyncpg.PostgresError) as error:
        raise Unavailable(f"the database does not answer: {error}", cause=error) from error
