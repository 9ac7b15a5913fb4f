"""Changes in bulk, whatever the database: all or none, and each only of what its author has seen."""

from typing import Any

import pytest

from shared.agents import AgentRecord
from shared.catalog_entries import CatalogEntry
from shared.identity.keys import KeyRecord
from shared.kill import Kill
from shared.service_accounts import ServiceAccount
from shared.store import Store, Unmet
from shared.store.objects import (
    changed_account,
    changed_agent,
    changed_entry,
    changed_key,
    changed_kill,
    lifted_kill,
    mark,
    new_account,
    new_agent,
    new_entry,
    new_key,
    new_kill,
    removed_account,
    removed_agent,
    removed_entry,
    revoked_key,
    unmark,
)


def _key(name: str, **fields: Any) -> KeyRecord:
    return KeyRecord(id=name, hash=f"hash-{name}", sub="user:alice", tenant="acme", **fields)


async def test_a_batch_is_made_as_a_whole(store: Store) -> None:
    keys = [_key(f"k{number}") for number in range(50)]
    await store.write([*(new_key(key) for key in keys), new_agent(AgentRecord(name="a", tenant="acme"))])
    assert sorted(key.id for key in await store.keys("acme")) == sorted(key.id for key in keys)
    assert [kept.record for kept in await store.kept_agents()] == [AgentRecord(name="a", tenant="acme")]


async def test_one_change_that_finds_something_else_undoes_all(store: Store) -> None:
    await store.write([new_key(_key("old"))])
    with pytest.raises(Unmet) as unmet:
        await store.write([new_key(_key("new")), mark("key", "new", "us"), new_key(_key("old"))])
    assert unmet.value.number == 2
    assert [key.id for key in await store.keys(None)] == ["old"]
    assert await store.marks() == {}


async def test_a_change_names_what_it_has_seen(store: Store) -> None:
    await store.write([new_key(_key("k"))])
    [kept] = await store.kept_keys()
    await store.write([changed_key(kept.content, _key("k", team="one"))])
    with pytest.raises(Unmet):
        await store.write([changed_key(kept.content, _key("k", team="two"))])
    [now] = await store.kept_keys()
    assert now.record == _key("k", team="one")
    await store.write([revoked_key(now.content, "k", 7)])
    assert await store.kept_keys() == []
    for late in (changed_key(now.content, _key("k")), revoked_key(now.content, "k", 8)):
        with pytest.raises(Unmet):
            await store.write([late])
    assert [key.revoked_at for key in await store.keys(None)] == [7]


async def test_agents_change_and_go(store: Store) -> None:
    await store.write([new_agent(AgentRecord(name="a"))])
    [kept] = await store.kept_agents()
    await store.write([changed_agent(kept.content, AgentRecord(name="a", owner="us", at=5))])
    with pytest.raises(Unmet):
        await store.write([removed_agent(kept.content, "a")])
    [now] = await store.kept_agents()
    await store.write([removed_agent(now.content, "a")])
    assert await store.agents(None) == []


async def test_kills_change_and_are_lifted(store: Store) -> None:
    await store.write([new_kill(Kill(id="k", selector={"agent": "a"}, at=5))])
    [kept] = await store.kept_kills()
    await store.write([changed_kill(kept.content, Kill(id="k", selector={"agent": "b"}, at=5))])
    with pytest.raises(Unmet):
        await store.write([lifted_kill(kept.content, "k", 7, "user:operator")])
    [now] = await store.kept_kills()
    await store.write([lifted_kill(now.content, "k", 7, "user:operator")])
    assert await store.kills() == []
    with pytest.raises(Unmet):
        await store.write([new_kill(Kill(id="k", selector={"agent": "a"}))])


async def test_versions_in_the_catalog_change_and_go(store: Store) -> None:
    entry = CatalogEntry(kind="skill", name="a", version="1", content={"n": 1})
    await store.write([new_entry(entry)])
    with pytest.raises(Unmet):
        await store.write([new_entry(entry)])
    [kept] = await store.kept_entries("skill")
    assert await store.kept_entries("server") == []
    later = CatalogEntry(kind="skill", name="a", version="1", content={"n": 1}, state="deprecated")
    await store.write([changed_entry(kept.content, later)])
    with pytest.raises(Unmet):
        await store.write([removed_entry(kept.content, entry)])
    [now] = await store.kept_entries("skill")
    await store.write([removed_entry(now.content, entry)])
    assert await store.catalog_entries() == []


async def test_a_mark_goes_with_what_it_marks(store: Store) -> None:
    await store.write([new_agent(AgentRecord(name="a")), unmark("agent", "a"), mark("agent", "a", "us")])
    assert await store.marks() == {("agent", "a"): "us"}
    assert await store.remove_agent("a", None)
    assert await store.marks() == {}


async def test_service_accounts_are_told_apart_by_tenant_and_name(store: Store) -> None:
    ours, theirs = (ServiceAccount(tenant=tenant, name="billing", owner="a") for tenant in ("acme", "globex"))
    await store.write([new_account(ours), new_account(theirs)])
    with pytest.raises(Unmet):
        await store.write([new_account(ours)])
    [kept, other] = await store.kept_accounts()
    off = ServiceAccount(tenant="acme", name="billing", disabled=True, at=5)
    await store.write([changed_account(kept.content, off), removed_account(other.content, theirs)])
    with pytest.raises(Unmet):
        await store.write([changed_account(kept.content, ours)])
    assert [kept.record for kept in await store.kept_accounts()] == [off]
