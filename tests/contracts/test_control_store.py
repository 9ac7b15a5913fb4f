"""What the control plane may rely on, whatever the database: run on SQLite and on PostgreSQL."""

import asyncio

import msgspec
import pytest

from shared.identity.keys import KeyRecord
from shared.identity.principal import ChainBudget
from shared.kill import Kill
from shared.ledger.entry import new_id
from shared.store import PolicyVersion, SigningKey, Store, Unmet, open_store
from shared.store.objects import rotated_key


async def test_keys_are_kept_revoked_once_and_read_by_tenant(store: Store) -> None:
    key = KeyRecord(
        id="k1",
        hash="h1",
        sub="user:alice",
        tenant="acme",
        scope=("model:*",),
        budget=ChainBudget(micros=5),
        created_at=1,
    )
    other = KeyRecord(id="k2", hash="h2", sub="user:bob", tenant="globex", created_at=2)
    assert await store.add_key(key)
    assert await store.add_key(other)
    assert not await store.add_key(KeyRecord(id="k3", hash="h1", sub="user:mallory", tenant="acme"))
    assert await store.keys("acme") == [key]
    assert await store.keys(None) == [key, other]
    assert await store.revoke_key("k1", 77)
    assert not await store.revoke_key("k1", 99)
    assert not await store.revoke_key("nobody", 99)
    assert [(k.id, k.revoked_at) for k in await store.keys(None)] == [("k1", 77), ("k2", 0)]
    await store.touch_key("k2", 50)
    await store.touch_key("k2", 40)
    assert await store.keys_used(None) == {"k2": 50}
    assert await store.keys_used("acme") == {}


async def test_a_key_is_rotated_from_the_secret_that_it_has_and_not_after_its_end(store: Store) -> None:
    key = KeyRecord(id="k1", hash="h1", sub="user:alice", tenant="acme")
    new = msgspec.structs.replace(key, hash="h2", old_hash="h1", old_until=9)
    assert await store.add_key(key)
    [old] = await store.kept_keys()
    await store.write([rotated_key(old.content, new)])
    with pytest.raises(Unmet):
        await store.write([rotated_key(old.content, new)])
    assert await store.keys(None) == [new]
    [now] = await store.kept_keys()
    assert await store.revoke_key("k1", 7)
    with pytest.raises(Unmet):
        await store.write([rotated_key(now.content, msgspec.structs.replace(new, hash="h3"))])


async def test_kills_stay_in_force_until_lifted(store: Store) -> None:
    kills = [Kill(new_id(), {"agent": f"planner{n}"}, "loops", "operator", at=n) for n in range(2)]
    for kill in kills:
        assert await store.add_kill(kill)
    assert not await store.add_kill(kills[0])
    assert await store.kills() == kills
    assert await store.lift_kill(kills[0].id, 9, by="operator")
    assert not await store.lift_kill(kills[0].id, 10)
    assert await store.kills() == kills[1:]


async def test_of_two_who_publish_the_same_policy_version_one_wins(store: Store) -> None:
    assert await store.latest_policy() is None
    versions = [PolicyVersion(version=1, rules=b"{}", author=name, reason="r", at=5) for name in "ab"]
    won = await asyncio.gather(*(store.add_policy(version) for version in versions))
    assert sorted(won) == [False, True]
    second = PolicyVersion(version=2, number=2, rules=b'{"rules":[]}', author="c")
    assert await store.add_policy(second)
    assert await store.latest_policy() == await store.policy(2) == second
    assert [(version.version, version.rules) for version in await store.policies()] == [(2, b""), (1, b"")]
    first = await store.policy(1)
    assert first is not None
    assert await store.latest_policy(first.author) == first
    assert await store.latest_policy("nobody") is await store.policy(3) is None


async def test_of_many_who_change_the_same_policy_version_one_wins(url: str, store: Store) -> None:
    assert await store.add_policy(PolicyVersion(version=10, number=1, rules=b"{}"))
    stores = [open_store(url) for _ in range(4)]
    drafts = [PolicyVersion(version=11 + n, number=2, rules=b"%d" % n) for n in range(12)]
    won = await asyncio.gather(*(stores[n % 4].add_policy(draft) for n, draft in enumerate(drafts)))
    assert won.count(True) == 1
    assert await store.latest_policy() == drafts[won.index(True)]
    for other in stores:
        await other.close()


async def test_policy_versions_have_no_gap_and_never_go_back(store: Store) -> None:
    assert not await store.add_policy(PolicyVersion(version=1, number=2, rules=b"{}"))
    assert await store.add_policy(PolicyVersion(version=10, number=1, rules=b"{}"))
    assert not await store.add_policy(PolicyVersion(version=11, number=3, rules=b"{}"))
    assert not await store.add_policy(PolicyVersion(version=9, number=2, rules=b"{}"))
    assert await store.add_policy(PolicyVersion(version=11, number=2, rules=b"{}"))


async def test_a_signing_keys_id_never_changes_its_meaning(store: Store) -> None:
    key = SigningKey(kid="k", issuer="api_gateway", jwk=b'{"kty":"EC"}', seen_at=1)
    assert await store.add_signing_key(key)
    assert not await store.add_signing_key(SigningKey(kid="k", issuer="mallory", jwk=b"{}"))
    assert await store.signing_keys() == [key]
