"""Snapshots over a real Valkey: signed, only ever newer, caught up with when messages get lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from shared.background import cancelled
from shared.errors import Unavailable
from shared.identity.signing import Signer
from shared.redis_client import Redis
from shared.snapshots import EPOCHS, Snapshots, Superseded
from shared.valkey import EmbeddedValkey
from tests.shared.snapshot_world import World
from tests.support.wait import eventually


@pytest.fixture
def world(redis: Redis, tmp_path: Path) -> World:
    return World(redis, tmp_path)


@contextlib.asynccontextmanager
async def running(snapshots: Snapshots) -> AsyncIterator[None]:
    task = asyncio.create_task(snapshots.run())
    try:
        yield
    finally:
        await cancelled(task)


async def test_what_is_published_is_applied_once(world: World) -> None:
    await world.publish(b"[1]", 5)
    for _ in range(3):
        await world.snapshots.look()
    assert world.applied == [(b"[1]", 5)]
    assert world.snapshots.epochs() == {"kills": 5}
    assert world.snapshots.trouble == {}


async def test_a_message_brings_it_at_once(world: World) -> None:
    snapshots, applied = world.reader(poll_seconds=3600)
    async with running(snapshots):

        async def subscribed() -> bool:
            name_and_count: Sequence[int] = await world.redis.execute("PUBSUB", "NUMSUB", EPOCHS)
            return name_and_count[1] > 0

        await eventually(subscribed)
        await world.publish(b"[1]", 1)
        await eventually(lambda: applied == [(b"[1]", 1)])
        await world.publish(b"[2]", 2)
        await eventually(lambda: applied[-1] == (b"[2]", 2))


async def test_a_lost_message_is_caught_up_with_by_looking(world: World) -> None:
    snapshots, applied = world.reader()
    async with running(snapshots):
        await world.forge(b"[1]", 1)  # as if published, but nobody is told
        await eventually(lambda: applied == [(b"[1]", 1)])


async def test_a_process_that_starts_later_gets_the_newest(world: World) -> None:
    await world.publish(b"[1]", 1)
    await world.publish(b"[2]", 2)
    await world.snapshots.look()
    assert world.applied == [(b"[2]", 2)]


async def test_a_copy_that_was_valid_once_is_not_taken_again(world: World) -> None:
    await world.publish(b'["stopped"]', 1)
    old = await world.held()
    await world.publish(b"[]", 2)
    await world.snapshots.look()
    world.clock.advance(5)
    for epoch in (1, 2, 3):
        await world.plant(old, epoch)
        await world.snapshots._refresh("kills")
    assert world.applied == [(b"[]", 2)]
    assert "epoch 1 was offered after epoch 2" in world.snapshots.trouble["kills"]
    assert world.snapshots.fresh("kills") == 5


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\n",
        b"nonsense",
        b"nonsense\n[]",
        b"\n[]",
        b"a.b.c\n[]",
        b"\xff\xfe\n[]",
        b"." * 20_000 + b"\n[]",
    ],
    ids=repr,
)
async def test_a_value_that_is_no_snapshot_is_not_taken(world: World, value: bytes) -> None:
    await world.plant(value, 7)
    await world.snapshots.look()
    assert world.applied == []
    assert world.snapshots.trouble["kills"]
    assert world.snapshots.fresh("kills") == float("inf")


async def test_a_payload_that_was_changed_is_not_taken(world: World) -> None:
    await world.publish(b'["stopped"]', 1)
    token, _, _ = (await world.held()).partition(b"\n")
    for payload in (b"[]", b"", b'["stopped"]\n', b'["stopped"] '):
        await world.plant(token + b"\n" + payload, 1)
        await world.snapshots.look()
    assert world.applied == []
    assert world.snapshots.trouble["kills"] == "its content is not what was signed"


async def test_only_the_control_plane_publishes(world: World) -> None:
    for signer in (world.agents, Signer("stranger"), Signer("api_gateway")):
        await world.forge(b"[]", 3, signer=signer)
        await world.snapshots.look()
    assert world.applied == []


async def test_other_signed_things_are_no_snapshot(world: World) -> None:
    for typ in ("txn+jwt", "delegation+jwt", "checkpoint+jwt"):
        await world.forge(b"[]", 3, typ=typ)
        await world.snapshots.look()
    for changed in ({"name": "keys"}, {"epoch": "3"}, {"epoch": True}, {"epoch": None}, {"sha256": 1}):
        await world.forge(b"[]", 3, changed)
        await world.snapshots.look()
    assert world.applied == []


async def test_a_list_of_epochs_that_lies_cannot_confirm_what_is_not_held(world: World) -> None:
    await world.redis.execute("HSET", EPOCHS, "kills", 0)
    await world.snapshots.look()
    assert world.snapshots.fresh("kills") == float("inf")
    for nonsense in ("-1", "1e3", "x", "9" * 5000, ""):
        await world.redis.execute("HSET", EPOCHS, "kills", nonsense)
        await world.snapshots.look()
    assert world.applied == []
    await world.publish(b"[]", 4)
    await world.redis.execute("HSET", EPOCHS, "kills", 999)
    await world.snapshots.look()
    assert world.applied == [(b"[]", 4)]


async def test_an_epoch_of_zero_is_an_epoch_like_any_other(world: World) -> None:
    await world.publish(b"[0]", 0)
    await world.snapshots.look()
    assert world.applied == [(b"[0]", 0)]
    assert world.snapshots.fresh("kills") == 0


async def test_an_older_or_different_copy_cannot_be_published_over_a_newer_one(world: World) -> None:
    await world.publish(b"[2]", 2)
    with pytest.raises(Superseded):
        await world.publish(b"[1]", 1)
    with pytest.raises(Superseded):
        await world.publish(b"[3]", 2)
    await world.snapshots.look()
    assert world.applied == [(b"[2]", 2)]


async def test_publishing_the_same_again_renews_its_signature(world: World) -> None:
    await world.publish(b"[2]", 2)
    before = await world.held()
    await world.publish(b"[2]", 2)
    assert await world.held() != before
    await world.snapshots.look()
    assert world.applied == [(b"[2]", 2)]


async def test_payload_and_epoch_are_never_of_two_versions(world: World) -> None:
    snapshots, applied = world.reader(poll_seconds=3600)
    async with running(snapshots):
        for epoch in range(1, 60):
            await world.publish(b"%d" % epoch, epoch)
        await eventually(lambda: applied and applied[-1][1] == 59)
    assert all(payload == b"%d" % epoch for payload, epoch in applied)
    assert [epoch for _, epoch in applied] == sorted({epoch for _, epoch in applied})


async def test_freshness_is_counted_from_the_last_confirmation(world: World) -> None:
    assert world.snapshots.fresh("kills") == float("inf")
    await world.publish(b"[]", 1)
    await world.snapshots.look()
    world.clock.advance(3)
    assert world.snapshots.fresh("kills") == 3
    await world.snapshots.look()
    assert world.snapshots.fresh("kills") == 0


async def test_an_emptied_redis_confirms_nothing_until_it_is_published_again(world: World) -> None:
    await world.publish(b"[1]", 1)
    await world.snapshots.look()
    assert await world.publisher.missing({"kills": 1}) == []
    assert await world.publisher.missing({"kills": 2}) == ["kills"]
    await world.redis.execute("FLUSHALL")
    world.clock.advance(4)
    await world.snapshots.look()
    assert world.snapshots.fresh("kills") == 4
    assert await world.publisher.missing({"kills": 1}) == ["kills"]
    await world.publish(b"[1]", 1)
    await world.snapshots.look()
    assert world.snapshots.fresh("kills") == 0
    assert world.applied == [(b"[1]", 1)]


async def test_one_that_fails_is_tried_again_and_holds_nobody_else_up(world: World) -> None:
    broken, others = [True], list[int]()

    def fragile(payload: bytes, epoch: int) -> None:
        if broken[0]:
            raise RuntimeError("not yet")
        others.append(epoch)

    keys: list[int] = []
    world.snapshots.on("policy", fragile)
    world.snapshots.on("keys", lambda payload, epoch: keys.append(epoch))
    await world.publish(b"[]", 1, "policy")
    await world.publish(b"[]", 1, "keys")
    await world.snapshots.look()
    assert (others, keys, world.snapshots.epochs()) == ([], [1], {"keys": 1})
    assert world.snapshots.trouble["policy"] == "not yet"
    broken[0] = False
    await world.snapshots.look()
    assert (others, keys) == ([1], [1])
    assert "policy" not in world.snapshots.trouble


async def test_without_a_verifier_nothing_is_taken(world: World) -> None:
    applied: list[int] = []
    world.publisher.on("kills", lambda payload, epoch: applied.append(epoch))
    await world.publish(b"[]", 1)
    await world.publisher.look()
    assert applied == []


async def test_a_redis_that_goes_away_is_followed_when_it_is_back(tmp_path: Path) -> None:
    valkey = EmbeddedValkey()
    await valkey.start(tmp_path / "state", fsync="everysec")
    redis = await Redis.connect(valkey.url)
    world = World(redis, tmp_path)
    snapshots, applied = world.reader(poll_seconds=0.05)
    try:
        async with running(snapshots):
            await world.publish(b"[1]", 1)
            await eventually(lambda: applied == [(b"[1]", 1)])
            await valkey.stop()
            await eventually(lambda: bool(snapshots.trouble))
            await valkey.start(tmp_path / "state", fsync="everysec")

            async def published() -> bool:
                with contextlib.suppress(Unavailable):
                    await world.publish(b"[2]", 2)
                    return True
                return False

            await eventually(published)
            await eventually(lambda: applied[-1] == (b"[2]", 2))
            await eventually(lambda: not snapshots.trouble)
    finally:
        await redis.close()
        await valkey.stop()
