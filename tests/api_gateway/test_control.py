"""What operators order is in force, or is made so as soon as Redis takes it again."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api_gateway import control as control_plane
from api_gateway.app import SERVICE
from api_gateway.control import Control
from shared.clock import Clock
from shared.errors import Unavailable
from shared.redis_client import Redis, RedisError
from shared.valkey import EmbeddedValkey
from tests.support.serve import Running, running
from tests.support.wait import eventually


@pytest.fixture
async def edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    monkeypatch.setattr(control_plane, "_REPUBLISH_SECONDS", 0.02)
    async with running(SERVICE, {}, tmp_path) as edge:
        known = {"keys", "kills", "policy"}
        await eventually(lambda: known <= edge.parts.snapshots.epochs().keys(), "the start")
        yield edge


@pytest.mark.parametrize("failure", [Unavailable("gone"), RedisError("READONLY")], ids=str)
async def test_a_kill_that_redis_did_not_take_is_published_later(
    edge: Running, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    control: Control = edge.app.state.control
    before = edge.parts.snapshots.epochs()["kills"]

    async def refuse(*_: Any) -> None:
        raise failure

    with monkeypatch.context() as broken:
        broken.setattr(edge.parts.snapshots, "publish", refuse)
        with pytest.raises(Unavailable):
            await control.add_kill({"agent": "planner"}, "a test", "user:operator")
    assert len(await control.store.kills()) == 1
    await eventually(lambda: edge.parts.snapshots.epochs()["kills"] > before, "the kill in force")
    assert not edge.parts.failed.is_set()


class Ahead(Clock):
    """An hour ahead of everybody else's."""

    def now_us(self) -> int:
        return super().now_us() + 3_600_000_000

    def now(self) -> float:
        return super().now() + 3600


async def test_an_edge_whose_clock_is_behind_another_s_orders_all_the_same(
    tmp_path: Path, valkey: EmbeddedValkey, redis: Redis
) -> None:
    state = {
        "state": {"sql": f"sqlite://{tmp_path / 'shared.db'}", "dir": str(tmp_path), "redis": valkey.url}
    }
    shared = {**state, "identity": {"keys_dir": str(tmp_path / "keys")}}
    async with (
        running(SERVICE, shared, tmp_path / "ahead", clock=Ahead()) as ahead,
        running(SERVICE, shared, tmp_path / "behind") as behind,
    ):
        for edge in (ahead, behind):
            await eventually(lambda edge=edge: edge.parts.kill.epoch > 0, "it obeys")  # type: ignore[misc]
        first: Control = ahead.app.state.control
        second: Control = behind.app.state.control
        await first.add_kill({"agent": "planner"}, "a test", "user:operator")
        await second.add_kill({"agent": "writer"}, "a test", "user:operator")
        kill = await first.add_kill({"agent": "reader"}, "a test", "user:operator")
        await second.lift_kill(kill.id, "user:operator")
        assert len(await second.store.kills()) == 2
        assert behind.parts.kill.epoch == max(edge.parts.kill.epoch for edge in (ahead, behind))


async def test_what_nobody_changes_is_signed_anew_before_its_key_is_retired(
    edge: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = edge.parts.snapshots
    before, epoch = await snapshots.signature("policy"), snapshots.epochs()["policy"]
    monkeypatch.setattr(control_plane, "_RENEW_SECONDS", 0.0)

    async def renewed() -> bool:
        return await snapshots.signature("policy") != before

    await eventually(renewed, "another signature")
    assert snapshots.epochs()["policy"] == epoch
