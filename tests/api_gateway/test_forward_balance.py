"""Replicas behind a real edge, on real sockets: shares, a slow one, a dying one, a new one, a drain, a queue
and a canary.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.api_gateway.replicas import Replica, Shop, holding, shop
from tests.support.wait import eventually


async def _stream(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def _many(made: Shop, count: int, *, at_once: int = 10, method: str = "POST") -> Counter[str]:
    """How many of `count` requests each replica has answered; all must be answered well."""
    found: Counter[str] = Counter()
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            status, replica, _ = await made.ask(method=method)
            assert status == 200
            found[replica] += 1

    await asyncio.gather(*(work() for _ in range(at_once)))
    return found


async def test_five_replicas_in_turn_get_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shop(tmp_path, monkeypatch, 5, balance={"strategy": "round_robin"}) as made:
        assert set((await _many(made, 100)).values()) == {20}
        assert (await made.gauges())["gatestack_replicas_ready"] >= 5


async def test_a_slow_replica_gets_less_than_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path, monkeypatch, 5, balance={"strategy": "power_of_two"}) as made:
        slow = made.replicas["127.0.0.1"]
        with holding(slow) as release:
            # Those that are caught there stay; everybody else is served by the other four.
            caught = [asyncio.create_task(made.ask()) for _ in range(20)]

            async def two_are_caught() -> bool:
                # Chance may send all of those who are there past it.
                caught.append(asyncio.create_task(made.ask()))
                return slow.open >= 2

            await eventually(two_are_caught, "somebody is caught")
            before = slow.open
            for _ in range(100):
                one = asyncio.create_task(made.ask())
                held = slow.open
                await eventually(partial(_settled, one, slow, held), "it is answered, or caught")
                caught.append(one)
            assert slow.open - before <= 10
            release.set()
            assert {status for status, _, _ in await asyncio.gather(*caught)} == {200}


def _settled(one: "asyncio.Task[Any]", slow: Replica, held: int) -> bool:
    return one.done() or slow.open > held


async def test_a_dying_replica_costs_nobody_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = {"strategy": "round_robin", "ejection": {"consecutive": 2, "seconds": 60}}
    async with shop(tmp_path, monkeypatch, 5, balance=rule) as made:
        dead = made.replicas["127.0.0.3"]
        await dead.stop()
        shares = await _many(made, 60, at_once=3)
        assert dead.name not in shares
        assert (await made.gauges())["gatestack_replicas_ejected"] == 1
        assert (await made.gauges())["gatestack_edge_retries"] >= 2


async def test_a_replica_comes_back_when_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = {
        "strategy": "round_robin",
        "ejection": {"consecutive": 1, "seconds": 0.05, "longest_seconds": 0.05},
    }
    async with shop(tmp_path, monkeypatch, 3, balance=rule) as made:
        sick = made.replicas["127.0.0.1"]
        sick.status = 500
        assert 500 in [(await made.ask())[0] for _ in range(3)]
        sick.status = 200

        async def back() -> bool:
            return (await made.ask())[1] == sick.name

        await eventually(back, "it is asked again")


async def test_a_new_replica_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shop(tmp_path, monkeypatch, 2, balance={"strategy": "round_robin"}) as made:
        await made.add(3)
        assert len(await _many(made, 20)) == 2
        made.known.append("127.0.0.3")
        await eventually(lambda: made.pool.seen().ready == 3, "DNS was asked again")
        assert set((await _many(made, 30)).values()) == {10}


async def test_nothing_is_lost_when_a_replica_is_drained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path, monkeypatch, 3, balance={"strategy": "round_robin"}) as made:
        going = made.replicas["127.0.0.1"]
        with holding(going) as release:
            caught = [asyncio.create_task(made.ask()) for _ in range(9)]
            await eventually(lambda: going.open == 3, "three are there")
            made.known.remove(going.name)
            await eventually(lambda: made.pool.seen().draining == 1, "it drains")
            assert going.name not in await _many(made, 30)
            stopping = asyncio.create_task(going.stop())
            release.set()
            assert {status for status, _, _ in await asyncio.gather(*caught)} == {200}
            await stopping
        await eventually(lambda: len(made.pool.members) == 2, "it is forgotten")
        await _many(made, 20)


async def test_replicas_may_be_replaced_one_by_one_under_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path, monkeypatch, 3) as made:
        loading = asyncio.create_task(_many(made, 300, at_once=6))
        for old, new in ((1, 4), (2, 5), (3, 6)):
            fresh = await made.add(new)
            made.known.append(fresh.name)
            made.known.remove(f"127.0.0.{old}")
            await eventually(
                lambda: {one.pinned.ip for one in made.pool.members if one.pinned} == set(made.known),
                "the change",
            )
            await made.replicas[f"127.0.0.{old}"].stop()
        assert sum((await loading).values()) == 300
        assert set(await _many(made, 60)) == {"127.0.0.4", "127.0.0.5", "127.0.0.6"}


async def test_an_upload_goes_elsewhere_when_nothing_of_it_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path, monkeypatch, 2, balance={"strategy": "round_robin"}) as made:
        await made.replicas["127.0.0.1"].stop()
        for _ in range(4):
            status, replica, _ = await made.ask(body=_stream(b"x" * 100_000, b"y" * 100_000))
            assert (status, replica) == (200, "127.0.0.2")


@pytest.mark.parametrize(("method", "tries", "statuses"), [("GET", 2, {200}), ("POST", 1, {200, 503})])
async def test_an_overloaded_replicas_503_is_asked_elsewhere_only_for_reads(
    method: str, tries: int, statuses: set[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path, monkeypatch, 2, balance={"strategy": "round_robin"}) as made:
        made.replicas["127.0.0.1"].status = 503
        answers = [await made.ask(method=method) for _ in range(2)]
        assert {status for status, _, _ in answers} == statuses
        assert sum(len(one.hits) for one in made.replicas.values()) == 1 + tries


async def test_what_a_replica_may_have_seen_is_not_sent_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hits = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal hits
        await reader.readuntil(b"\r\n\r\n")
        hits += 1
        writer.transport.abort()

    rude = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    other = Replica("other")
    port = await other.start("127.0.0.1")
    urls = [f"http://127.0.0.1:{rude.sockets[0].getsockname()[1]}", f"http://127.0.0.1:{port}"]
    try:
        async with shop(tmp_path, monkeypatch, 0, urls=urls) as made:
            statuses = [(await made.ask())[0] for _ in range(10)]
        assert hits == statuses.count(502) > 0
        assert len(other.hits) == statuses.count(200)
    finally:
        rude.close()
        await rude.wait_closed()
        await other.stop()


async def test_a_full_route_sheds_early_and_says_when_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = {"limit": 2, "queue": 1, "wait_seconds": 5}
    async with shop(tmp_path, monkeypatch, 1, concurrency=full) as made:
        [only] = made.replicas.values()
        with holding(only) as release:
            inside = [asyncio.create_task(made.ask()) for _ in range(2)]
            await eventually(lambda: only.open == 2, "two run")
            inside.append(asyncio.create_task(made.ask()))

            async def waits() -> bool:
                return (await made.gauges())["gatestack_edge_requests_waiting"] == 1

            await eventually(waits, "one waits")
            status, _, headers = await made.ask()
            assert status == 503
            assert int(headers["retry-after"]) >= 1
            assert (await made.gauges())["gatestack_edge_requests_shed"] == 1
            release.set()
            assert {status for status, _, _ in await asyncio.gather(*inside)} == {200}


async def test_a_canary_gets_its_share_of_callers_and_the_same_ones_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = Replica("canary")
    port = await canary.start("127.0.0.1")
    arm = {
        "name": "next",
        "urls": [f"http://127.0.0.1:{port}"],
        "percent": 50,
        "match_headers": {"X-Next": "1"},
    }
    try:
        async with shop(tmp_path, monkeypatch, 2, canaries=[arm]) as made:
            keys = [await made.new_key(f"user:{n}") for n in range(12)]
            first = [(await made.ask(key=key))[1] == "canary" for key in keys]
            second = [(await made.ask(key=key))[1] == "canary" for key in keys]
            assert first == second
            assert 1 <= sum(first) <= 11
            assert (await made.ask(key=keys[first.index(False)], x_next="1"))[1] == "canary"
    finally:
        await canary.stop()


async def test_one_address_is_sent_to_without_any_choosing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = Replica("only")
    port = await only.start("127.0.0.1")
    try:
        async with shop(tmp_path, monkeypatch, 0, urls=[f"http://127.0.0.1:{port}"]) as made:
            assert (await made.ask())[:2] == (200, "only")
            await only.stop()
            assert (await made.ask())[0] == 502
    finally:
        await only.stop()


async def test_of_inner_gateways_only_one_that_is_not_there_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, busy = Replica("gone"), Replica("busy")
    ports = [await one.start("127.0.0.1") for one in (gone, busy)]
    await gone.stop()
    gateways = {
        "llm_gateway": [f"http://127.0.0.1:{port}" for port in ports],
        "balance": {"strategy": "round_robin"},
    }
    try:
        async with shop(tmp_path, monkeypatch, 0, urls=["http://127.0.0.1:1"], gateways=gateways) as made:
            assert [(await made.ask("/v1/models"))[:2] for _ in range(4)] == [(200, "busy")] * 4
            busy.status = 503
            assert [(await made.ask("/v1/models", method="GET"))[0] for _ in range(4)] == [503] * 4
            assert len(busy.hits) == 8
            # It speaks for a provider: that is no reason to leave the gateway alone.
            assert (await made.gauges())["gatestack_replicas_ejected"] == 0
    finally:
        await busy.stop()
