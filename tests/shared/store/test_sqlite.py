"""The SQLite file: private, shared by processes, and patient with both."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from shared.errors import BadRequest, Unavailable
from shared.store import EntryFilter, open_store
from tests.support.rows import chained, entry, sealed
from tests.support.wait import eventually


async def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "below" / "gatestack.db"
    store = open_store(f"sqlite://{path}")
    await store.append([sealed(entry())])
    assert path.stat().st_mode & 0o777 == 0o600
    await store.close()


async def test_nothing_is_opened_before_it_is_used(tmp_path: Path) -> None:
    store = open_store(f"sqlite://{tmp_path}/gatestack.db")
    assert list(tmp_path.iterdir()) == []
    await store.close()


async def test_a_commit_survives_a_power_cut(tmp_path: Path) -> None:
    store = open_store(f"sqlite://{tmp_path}/gatestack.db")
    (mode,) = await store._tell("PRAGMA synchronous")  # type: ignore[attr-defined]
    (journal,) = await store._tell("PRAGMA journal_mode")  # type: ignore[attr-defined]
    assert (mode, journal) == ((2,), ("wal",))
    await store.close()


async def test_processes_that_make_the_file_at_the_same_time_do_not_collide(tmp_path: Path) -> None:
    for number in range(5):
        stores = [open_store(f"sqlite://{tmp_path}/{number}.db") for _ in range(8)]
        assert await asyncio.gather(*(store.append([sealed(entry())]) for store in stores)) == [1] * 8
        for store in stores:
            await store.close()


async def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    store = open_store(f"sqlite://{tmp_path}/gatestack.db")
    await store.append(chained([entry(), entry()]))
    other = sqlite3.connect(tmp_path / "gatestack.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    appending = asyncio.create_task(store.append([sealed(entry(), seq=9)]))
    assert len(await store.entries(EntryFilter(tenant=None))) == 2
    assert not appending.done()
    other.execute("COMMIT")
    other.close()
    assert await appending == 1
    await store.close()


async def test_a_file_that_cannot_be_opened_is_unavailable_until_it_can(tmp_path: Path) -> None:
    blocked = tmp_path / "state"
    blocked.touch()
    store = open_store(f"sqlite://{blocked}/gatestack.db")
    with pytest.raises(Unavailable):
        await store.append([sealed(entry())])
    blocked.unlink()
    assert await store.append([sealed(entry())]) == 1
    await store.close()


async def test_a_file_that_is_no_database_is_unavailable_until_it_is_one(tmp_path: Path) -> None:
    path = tmp_path / "gatestack.db"
    path.write_bytes(b"not a database " * 1000)
    store = open_store(f"sqlite://{path}")
    with pytest.raises(Unavailable):
        await store.kills()
    path.unlink()
    assert await store.kills() == []
    await store.close()


async def test_an_append_whose_caller_leaves_is_done_all_the_same(tmp_path: Path) -> None:
    store = open_store(f"sqlite://{tmp_path}/gatestack.db")
    appending = asyncio.create_task(store.append([sealed(entry())]))
    await asyncio.sleep(0)
    appending.cancel()
    await eventually(lambda: store.entries(EntryFilter(tenant=None)))
    await store.close()


@pytest.mark.parametrize(
    "url", ["sqlite://relative.db", "sqlite:///", "sqlite://host/file.db", "mysql://h/d", "", "gatestack.db"]
)
def test_a_url_that_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(BadRequest):
        open_store(url)
