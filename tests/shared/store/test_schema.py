"""Databases are brought up to date step by step, and one from the future is left alone."""

import sqlite3
from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.store import EntryFilter, PolicyVersion, open_store
from shared.store.columns import LEDGER
from shared.store.cubes import CUBES
from shared.store.flavor import POSTGRES, SQLITE
from shared.store.schema import MIGRATIONS, VERSION_TABLE, pending
from tests.support.rows import entry, sealed


def test_an_empty_database_gets_every_migration_in_order() -> None:
    steps = [step for step in pending(0, SQLITE) if step.startswith("INSERT INTO schema_version")]
    assert [step.split("(")[-1] for step in steps] == [f"{n})" for n in range(1, len(MIGRATIONS) + 1)]
    assert pending(len(MIGRATIONS), SQLITE) == []


def test_each_database_gets_its_own_types() -> None:
    assert all("BLOB" not in step for step in pending(0, POSTGRES))
    assert all("BYTEA" not in step for step in pending(0, SQLITE))


def test_the_tables_have_the_columns_that_are_written() -> None:
    connection = sqlite3.connect(":memory:")
    for step in (VERSION_TABLE, *pending(0, SQLITE)):
        connection.execute(step)
    for table, names in (("ledger", LEDGER), *((cube.table, cube.columns) for cube in CUBES)):
        assert {line[1] for line in connection.execute(f"PRAGMA table_info({table})")} == set(names)
    connection.close()


async def test_an_older_database_keeps_its_rows_when_it_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "gatestack.db"
    connection = sqlite3.connect(path)
    for step in (VERSION_TABLE, *pending(0, SQLITE, MIGRATIONS[:1])):
        connection.execute(step)
    connection.commit()
    connection.close()
    store = open_store(f"sqlite://{path}")
    await store.append([sealed(entry())])
    assert await store.keys(None) == []
    assert len(await store.entries(EntryFilter(tenant=None))) == 1
    await store.close()


async def test_policies_of_an_older_database_are_numbered_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "gatestack.db"
    connection = sqlite3.connect(path)
    for step in (VERSION_TABLE, *pending(0, SQLITE, MIGRATIONS[:2])):
        connection.execute(step)
    for version in (30, 10, 20):
        connection.execute("INSERT INTO policies VALUES (?, x'7b7d', 'configuration', '', 0)", (version,))
    connection.commit()
    connection.close()
    store = open_store(f"sqlite://{path}")
    numbers = [(version.number, version.version) for version in await store.policies()]
    assert numbers == [(3, 30), (2, 20), (1, 10)]
    assert await store.add_policy(PolicyVersion(version=31, number=4, rules=b"{}"))
    await store.close()


async def test_a_database_of_a_newer_release_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "gatestack.db"
    connection = sqlite3.connect(path)
    connection.execute(VERSION_TABLE)
    connection.execute("INSERT INTO schema_version VALUES (99)")
    connection.commit()
    connection.close()
    store = open_store(f"sqlite://{path}")
    with pytest.raises(Unavailable, match="schema 99"):
        await store.keys(None)
    await store.close()
