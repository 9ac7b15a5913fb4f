"""Versions of servers and skills, whatever the database: there once, and changed only by whoever has seen
them.
"""

import msgspec
import pytest

from shared.catalog_entries import CatalogEntry
from shared.store import Store, Unmet
from shared.store.objects import changed_entry, new_entry

ENTRY = CatalogEntry(kind="skill", name="a", version="1", content={"n": 1})


async def test_a_published_version_stays_as_it_is(store: Store) -> None:
    other = CatalogEntry(kind="server", name="a", version="1", content={})
    newer = msgspec.structs.replace(ENTRY, version="2")
    await store.write([new_entry(newer), new_entry(ENTRY), new_entry(other)])
    with pytest.raises(Unmet):
        await store.write([new_entry(msgspec.structs.replace(ENTRY, content={"n": 2}))])
    assert await store.catalog_entries() == [other, ENTRY, newer]
    assert [kept.record for kept in await store.kept_entries("skill")] == [ENTRY, newer]


async def test_of_two_who_change_a_version_one_is_told_so(store: Store) -> None:
    await store.write([new_entry(ENTRY)])
    [kept] = await store.kept_entries("skill")
    deleted = msgspec.structs.replace(ENTRY, state="deleted", reason="It lies.")
    await store.write([changed_entry(kept.content, deleted)])
    with pytest.raises(Unmet):
        await store.write([changed_entry(kept.content, msgspec.structs.replace(ENTRY, state="deprecated"))])
    assert await store.catalog_entries() == [deleted]
