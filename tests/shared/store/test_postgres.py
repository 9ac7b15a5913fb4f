"""PostgreSQL may go and come back, and what it could not take is its own affair."""

import asyncio

import pytest

from shared.errors import Unavailable
from shared.store import EntryFilter, open_store
from tests.support.postgres import Postgres
from tests.support.rows import chained, entry, sealed


async def test_a_server_that_comes_back_is_used_again(postgres: Postgres) -> None:
    store = open_store(await postgres.database())
    assert await store.append(chained([entry(), entry()])) == 2
    postgres.stop()
    try:
        for _ in range(2):
            with pytest.raises(Unavailable):
                await store.append([sealed(entry(), seq=3)])
            with pytest.raises(Unavailable):
                await store.keys(None)
    finally:
        postgres.start()
    assert await store.append([sealed(entry(), seq=3)]) == 1
    assert len(await store.entries(EntryFilter(tenant=None))) == 3
    await store.close()


async def test_a_server_that_is_not_there_yet_is_waited_for_by_the_caller(postgres: Postgres) -> None:
    url = await postgres.database()
    postgres.stop()
    store = open_store(url)
    try:
        with pytest.raises(Unavailable):
            await store.keys(None)
    finally:
        postgres.start()
    assert await store.keys(None) == []
    await store.close()


async def test_more_callers_than_connections_are_served(postgres: Postgres) -> None:
    store = open_store(await postgres.database())
    found = await asyncio.gather(*(store.keys(None) for _ in range(40)))
    assert found == [[]] * 40
    await store.close()
    await store.close()


async def test_a_failed_batch_leaves_nothing_behind_for_the_next(postgres: Postgres) -> None:
    store = open_store(await postgres.database())
    await store.append([sealed(entry(), seq=1)])
    await store._tell("ALTER TABLE spend RENAME TO elsewhere")  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="spend"):
        await store.append([sealed(entry(), seq=2)])
    await store._tell("ALTER TABLE elsewhere RENAME TO spend")  # type: ignore[attr-defined]
    assert await store.append([sealed(entry(), seq=3)]) == 1
    assert len(await store.entries(EntryFilter(tenant=None))) == 2
    await store.close()
