"""Active checks take replicas out and bring them back, on real sockets."""

from pathlib import Path

import pytest

from tests.api_gateway.replicas import shop
from tests.support.wait import eventually

CHECKED = {
    "strategy": "round_robin",
    "health": {"path": "/ready", "interval_seconds": 0.05, "timeout_seconds": 15, "rise": 2, "fall": 2},
}


async def test_a_replica_that_says_it_is_not_ready_gets_nothing_until_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path, monkeypatch, 3, balance=CHECKED) as made:
        sick = made.replicas["127.0.0.2"]
        sick.status = 503
        await eventually(lambda: made.pool.seen().down == 1, "it is out")
        assert sick.name not in [(await made.ask())[1] for _ in range(9)]
        assert (await made.gauges())["gatestack_replicas_down"] == 1
        sick.status = 200
        await eventually(lambda: made.pool.seen().ready == 3, "it is back")
        assert sick.name in [(await made.ask())[1] for _ in range(9)]
        assert "GET /ready" in sick.hits


async def test_a_replica_that_is_gone_is_noticed_without_a_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path, monkeypatch, 2, balance=CHECKED) as made:
        await made.replicas["127.0.0.1"].stop()
        await eventually(lambda: made.pool.seen().down == 1, "it is out")
        assert {(await made.ask())[:2] for _ in range(6)} == {(200, "127.0.0.2")}


async def test_when_all_are_down_callers_are_told_at_once_when_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path, monkeypatch, 1, balance=CHECKED) as made:
        await made.replicas["127.0.0.1"].stop()
        await eventually(lambda: made.pool.seen().down == 1, "it is out")
        status, _, headers = await made.ask()
        assert status == 503
        assert int(headers["retry-after"]) >= 1
        await made.replicas["127.0.0.1"].start("127.0.0.1", made.port)
        await eventually(lambda: made.pool.seen().ready == 1, "it is back")
        assert (await made.ask())[0] == 200


async def test_dns_that_is_gone_takes_no_replica_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path, monkeypatch, 2, balance=CHECKED) as made:
        asked = made.asked
        made.known.clear()
        await eventually(lambda: made.asked > asked + 2, "DNS was asked again")
        assert made.pool.seen().ready == 2
        assert (await made.ask())[0] == 200
