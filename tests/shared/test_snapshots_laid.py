"""Copies that were signed elsewhere: laid into another Redis as they came, never over something newer."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from shared.background import cancelled
from shared.errors import Unauthenticated
from shared.identity.signing import Signer
from shared.redis_client import Redis
from shared.snapshots import EPOCHS, TYPE, Refused, Superseded
from tests.shared.snapshot_world import World
from tests.support.wait import eventually


@pytest.fixture
def world(redis: Redis, tmp_path: Path) -> World:
    return World(redis, tmp_path)


def signed(signer: Signer, payload: bytes, epoch: object, **changed: object) -> bytes:
    claims = {"name": "kills", "epoch": epoch, "sha256": hashlib.sha256(payload).hexdigest()} | changed
    return signer.sign(claims, typ=TYPE).encode() + b"\n" + payload


async def test_a_copy_is_laid_as_it_came_and_obeyed(world: World) -> None:
    value = signed(world.edge, b"[1]", 5)
    await world.snapshots.lay("kills", value)
    await world.snapshots.look()
    assert (await world.held(), world.applied) == (value, [(b"[1]", 5)])
    assert await world.snapshots.signed("kills") == value
    assert await world.snapshots.signature("kills") == value.partition(b"\n")[0]
    assert await world.snapshots.signature("keys") == b""


async def test_what_is_not_signed_by_the_publisher_is_not_laid(world: World) -> None:
    for value, error in (
        (signed(world.agents, b"[]", 5), Refused),
        (signed(Signer("api_gateway"), b"[]", 5), Unauthenticated),
        (signed(world.edge, b"[1]", 5, sha256="0"), Refused),
        (signed(world.edge, b"[1]", 5, name="keys"), Refused),
        (signed(world.edge, b"[1]", "5"), Refused),
        (b"", Unauthenticated),
    ):
        with pytest.raises(error):
            await world.snapshots.lay("kills", value)
    assert await world.redis.execute("DBSIZE") == 0


async def test_an_older_copy_is_not_laid_over_a_newer_one(world: World) -> None:
    newer = signed(world.edge, b"[2]", 6)
    await world.snapshots.lay("kills", newer)
    with pytest.raises(Superseded):
        await world.snapshots.lay("kills", signed(world.edge, b"[1]", 5))
    assert await world.held() == newer


@pytest.mark.parametrize("listed", [9, 10**15])
async def test_what_nobody_has_signed_gives_way_whatever_epoch_it_claims(world: World, listed: int) -> None:
    value = signed(world.edge, b"[1]", 5)
    for planted in (signed(world.agents, b"[]", 9), b"nonsense", signed(world.edge, b"[0]", 4)):
        await world.plant(planted, listed)
        await world.snapshots.lay("kills", value)
        assert await world.held() == value
        assert int(await world.redis.execute("HGET", EPOCHS, "kills")) == 5


async def test_what_is_withdrawn_can_be_confirmed_by_nobody_until_it_is_laid_again(world: World) -> None:
    value = signed(world.edge, b"[1]", 5)
    await world.snapshots.lay("kills", value)
    await world.snapshots.look()
    await world.snapshots.withdraw("kills")
    world.clock.advance(3)
    await world.snapshots.look()
    assert world.snapshots.fresh("kills") == 3
    await world.snapshots.lay("kills", value)
    await world.snapshots.look()
    assert world.snapshots.fresh("kills") == 0


async def test_the_bell_rings_for_any_name(world: World) -> None:
    task = asyncio.create_task(world.snapshots.run())

    async def subscribed() -> bool:
        return bool((await world.redis.execute("PUBSUB", "NUMSUB", EPOCHS))[1])

    try:
        await eventually(subscribed)
        bell = world.snapshots.bell()
        await world.publish(b"[]", 1, "catalog")
        await eventually(bell.is_set, "it rings")
        assert not world.snapshots.bell().is_set()
    finally:
        await cancelled(task)
