"""What operators wait for when a ledger is large: spend, one chain, the drain's batches, on both databases.

`python -m tests.bench.ledger 10000000 DIRECTORY` measures that many rows; the databases stay in DIRECTORY and
are used again. Making ten million takes half an hour and 30 GB.
"""

import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import asyncpg

from shared.ledger.entry import new_id
from shared.ledger.row import SealedRow
from shared.store import SpendQuery, Store, open_store
from shared.store.flavor import POSTGRES, SQLITE
from shared.store.schema import pending
from tests.bench import ledger_rows
from tests.bench.ledger_rows import LAST_MONTH, UNTIL_US
from tests.support.postgres import served
from tests.support.rows import caller, chained, entry

ROWS = 100_000
_BATCH = 20_000
_DRAINED = 2_000  # rows that the drain commits at once
_ASKED = 25
_MONTH_US = 30 * 86_400_000_000
_DATABASE = "ledger"


async def measure(directory: Path, rows: int = ROWS) -> dict[str, dict[str, Any]]:
    found = await _measured("sqlite", f"sqlite://{directory.absolute()}/ledger.db", rows)
    # The account that runs PostgreSQL has to pass through.
    directory.chmod(0o711)
    own = directory / "pg"
    own.mkdir(exist_ok=True)
    with served(own) as server:
        await _make_database(server.url("postgres"))
        return found | await _measured("postgresql", server.url(_DATABASE), rows)


async def _measured(kind: str, url: str, rows: int) -> dict[str, dict[str, Any]]:
    store = open_store(url)
    began = time.perf_counter()
    await store.keys(None)
    print(f"{kind}: opened in {time.perf_counter() - began:.1f} s", flush=True)
    if not await store.writers():
        await _fill(store, url, rows)
    try:
        return {
            f"ledger.{kind}.{name}": {"value": value, "unit": "ms", "ratio": None, "against": f"p50, {about}"}
            for name, value, about in await _figures(store, rows)
        }
    finally:
        await store.close()


async def _figures(store: Store, rows: int) -> list[tuple[str, float, str]]:
    """Name, milliseconds and what it is."""
    month = {"tenant": None, "since_us": LAST_MONTH[0], "until_us": LAST_MONTH[1]}
    rolling = {"tenant": None, "since_us": UNTIL_US - _MONTH_US - 17, "until_us": UNTIL_US - 17}
    named = [ledger_rows.chain_id(rows // 7 // _ASKED * turn) for turn in range(_ASKED)]
    found = [
        (
            "spend",
            await _p50(lambda _: store.spend(_query(month, "team", "model"))),
            "last month by team, model",
        ),
        ("spend_30d", await _p50(lambda _: store.spend(_query(rolling, "team", "model"))), "30 days to now"),
    ]
    for name in ("agent", "tool", "principal"):
        taken = await _p50(lambda _, name=name: store.spend(_query(month, name)))  # type: ignore[misc]
        found.append((f"spend_by_{name}", taken, f"last month by {name}"))
    wide = await _p50(lambda _: store.spend(_query(month, "principal", "model")))
    found.append(("spend_wide", wide, "last month by principal, model"))
    found.append(("chain", await _p50(lambda turn: store.chain(named[turn], None)), "one chain"))
    batches = [_fresh() for _ in range(5)]
    found.append(("append", await _p50(lambda turn: store.append(batches[turn]), 5), f"{_DRAINED} rows kept"))
    return [(name, taken, f"{about}, {rows} rows") for name, taken, about in found]


async def _p50(work: Callable[[int], Awaitable[object]], turns: int = _ASKED) -> float:
    """The median milliseconds of `work`, given its turn."""
    taken = []
    for turn in range(turns):
        began = time.perf_counter()
        await work(turn)
        taken.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(taken), 2)


def _query(period: dict[str, Any], *by: str) -> SpendQuery:
    return SpendQuery(by=by, **period)


def _fresh() -> list[SealedRow]:
    """New rows of a moment ago."""
    people = [
        caller(f"user:person-{number:04}", "tenant-1", team=f"team-{number % 50:02}") for number in range(100)
    ]
    calls = [
        entry(
            people[number % 100], started_at=UNTIL_US + number, cost_micros=5, model=f"model-{number % 7:02}"
        )
        for number in range(_DRAINED)
    ]
    return chained(calls, f"llm_gateway-{new_id()}")


async def _fill(store: Store, url: str, rows: int) -> None:
    """By the batches that a drain would bring; the indexes are made anew afterwards, that is faster."""
    flavor = SQLITE if url.startswith("sqlite") else POSTGRES
    indexes = [step for step in pending(0, flavor) if step.startswith("CREATE INDEX ledger_")]
    await _execute(url, [f"DROP INDEX {step.split()[2]}" for step in indexes])
    sealed: Iterator[SealedRow] = ledger_rows.sealed(ledger_rows.entries(rows))
    kept, began = 0, time.perf_counter()
    while batch := list(islice(sealed, _BATCH)):
        kept += await store.append(batch)
        if kept % (50 * _BATCH) == 0:
            print(f"{kept} rows in {time.perf_counter() - began:.0f} s", flush=True)
    await _execute(url, [*indexes, "ANALYZE"] if flavor is POSTGRES else indexes)


async def _execute(url: str, statements: list[str]) -> None:
    """Past the store, which gives up on a statement that takes minutes."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite://"))
        for statement in statements:
            connection.execute(statement)
        connection.close()
        return
    server = await asyncpg.connect(url)
    for statement in statements:
        await server.execute(statement)
    await server.close()


async def _make_database(url: str) -> None:
    server = await asyncpg.connect(url)
    if not await server.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", _DATABASE):
        await server.execute(f"CREATE DATABASE {_DATABASE}")
    await server.close()


def main(argv: list[str]) -> int:
    rows = int(argv[0]) if argv else ROWS
    with tempfile.TemporaryDirectory(prefix="gsb") as own:
        directory = Path(argv[1] if len(argv) > 1 else own)
        directory.mkdir(exist_ok=True)
        print(json.dumps(asyncio.run(measure(directory, rows)), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
