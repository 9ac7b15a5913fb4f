"""The drain brings every row from Redis to SQL exactly once, and in an order that an audit can bear."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.background import cancelled
from shared.clock import Clock
from shared.errors import Unavailable
from shared.identity.signing import Signer
from shared.ledger import drain
from shared.ledger.audit import verify
from shared.ledger.drain import Drain
from shared.ledger.journal import Journal
from shared.ledger.row import SealedRow
from shared.ledger.writer import Ledger
from shared.limits.keys import tenant_keys
from shared.limits.limiter import Limiter
from shared.redis_client import Redis
from shared.store import EntryFilter, SpendQuery, Store, open_store
from tests.support.clock import FakeClock
from tests.support.postgres import Postgres
from tests.support.rows import caller, entry
from tests.support.wait import eventually


class Bench:
    """A ledger, a drain and a store over a real Redis."""

    def __init__(self, redis: Redis, directory: Path, url: str) -> None:
        self.redis = redis
        self.clock = FakeClock()
        self.signer = Signer("llm_gateway")
        self.directory = directory
        self.store = open_store(url)
        self.ledger = self.writer()
        self.drain = self.another()

    def writer(self) -> Ledger:
        limiter, journal = Limiter(self.redis, self.clock), Journal(self.directory / "journal")
        return Ledger(limiter, journal, self.signer, service="llm_gateway", clock=self.clock)

    def another(self, store: Store | None = None) -> Drain:
        return Drain(self.redis, store or self.store, self.clock)

    async def close(self, count: int, tenant: str = "acme") -> list[str]:
        """Ends so many calls; their ids."""
        calls = [entry(caller(tenant=tenant), cost_micros=1) for _ in range(count)]
        await asyncio.gather(*(self.ledger.close(call, None) for call in calls))
        return [call.id for call in calls]

    async def kept(self) -> list[str]:
        return [row.id for row in await self.store.entries(EntryFilter(tenant=None, limit=100_000))]

    async def waiting(self, tenant: str = "acme") -> int:
        return int(await self.redis.execute("XLEN", tenant_keys(tenant).ledger))

    async def empty(self) -> bool:
        return await self.waiting() == 0


@pytest.fixture
async def bench(redis: Redis, tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(redis, tmp_path, f"sqlite://{tmp_path}/gatestack.db")
    yield bench
    await bench.ledger.stop()
    await bench.store.close()


class Watched:
    """A store that a test can make fail, before or after it has kept what it was given."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.before: Exception | None = None
        self.after: Exception | None = None
        self.batches: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def append(self, rows: Sequence[SealedRow]) -> int:
        self.batches.append(len(rows))
        if self.before is not None:
            raise self.before
        new = await self.store.append(rows)
        if self.after is not None:
            raise self.after
        return new


async def test_rows_of_every_tenant_arrive_and_leave_redis(bench: Bench) -> None:
    ids = [
        *await bench.close(30, "acme"),
        *await bench.close(20, "globex"),
        *await bench.close(1, "odd{}:*\n"),
    ]
    ids += await bench.close(2, "")
    assert await bench.drain.step() == 53
    assert sorted(await bench.kept()) == sorted(ids)
    assert [await bench.waiting(tenant) for tenant in ("acme", "globex", "odd{}:*\n", "")] == [0, 0, 0, 0]
    assert await bench.drain.step() == 0
    assert bench.drain.lag == 0


async def test_many_rows_move_in_few_transactions(bench: Bench) -> None:
    watched = Watched(bench.store)
    for tenant in range(20):
        await bench.close(130, f"t{tenant}")
    assert await bench.another(watched).step() == 2600
    assert watched.batches == [2080, 520]


async def test_a_tenant_that_never_pauses_does_not_keep_the_others_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "_PAGE", 5)
    monkeypatch.setattr(drain, "_BATCH", 5)

    class Busy(Watched):
        async def append(self, rows: Sequence[SealedRow]) -> int:
            await bench.close(5, "busy")
            return await super().append(rows)

    await bench.close(20, "busy")
    others = await bench.close(1, "quiet")
    assert 21 <= await bench.another(Busy(bench.store)).step() <= 30
    assert set(others) <= set(await bench.kept())


async def test_a_drain_that_dies_between_commit_and_acknowledgement_doubles_nothing(bench: Bench) -> None:
    ids = await bench.close(40)
    watched = Watched(bench.store)
    watched.after = Unavailable("killed here")
    draining = bench.another(watched)
    with pytest.raises(Unavailable):
        await draining.step()
    assert (await bench.waiting(), draining.lag) == (40, 40)
    watched.after = None
    assert await draining.step() == 40
    assert sorted(await bench.kept()) == sorted(ids)
    (line,) = await bench.store.spend(SpendQuery(tenant="acme"))
    assert (line.calls, line.cost_micros) == (40, 40)


async def test_several_drains_at_once_never_double(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def always(_: Drain) -> bool:
        return True

    monkeypatch.setattr(Drain, "_leads_now", always)
    ids = [name for tenant in range(5) for name in await bench.close(100, f"t{tenant}")]
    drains = [bench.another() for _ in range(4)]
    await asyncio.gather(*(each.step() for each in drains), bench.close(50, "late"))
    await asyncio.gather(*(each.step() for each in drains))
    assert len(await bench.kept()) == 550
    assert set(ids) <= set(await bench.kept())
    (line,) = await bench.store.spend(SpendQuery(tenant=None))
    assert (line.calls, line.cost_micros) == (550, 550)


async def test_one_drain_leads_and_another_takes_over_when_it_stops(bench: Bench) -> None:
    first = asyncio.create_task(bench.drain.run())
    await bench.close(1)
    await eventually(lambda: bench.kept())
    second = bench.another()
    await bench.close(1)
    assert await second.step() == 0
    await cancelled(first)
    await bench.close(1)
    await second.step()
    assert len(await bench.kept()) == 3


async def test_a_drain_that_dies_leaves_its_lead_to_another_within_seconds(bench: Bench) -> None:
    await bench.close(1)
    await bench.drain.step()
    assert 0 < await bench.redis.execute("PTTL", "gs:drain") <= 4000
    # However long this takes: until its time is over the lead is kept.
    await bench.redis.execute("PERSIST", "gs:drain")
    second = bench.another()
    await bench.close(1)
    assert await second.step() == 0
    await bench.redis.execute("PEXPIRE", "gs:drain", 1)

    async def taken_over() -> bool:
        return await second.step() == 1

    await eventually(taken_over, "the other one leads")


async def test_a_drain_that_lost_the_lead_stands_by(bench: Bench) -> None:
    assert await bench.drain.step() == 0
    await bench.redis.execute("SET", "gs:drain", "somebody else")
    bench.clock.advance(60)
    await bench.close(3)
    assert await bench.drain.step() == 0
    assert (await bench.waiting(), bench.drain.lag) == (3, 3)


async def test_what_cannot_be_read_stays_visible_and_holds_up_nothing(bench: Bench) -> None:
    stream = tenant_keys("acme").ledger
    await bench.redis.execute("XADD", stream, "*", "row", "not a row", "hash", "x")
    await bench.redis.execute("XADD", stream, "*", "something", "else")
    ids = await bench.close(5)
    assert await bench.drain.step() == 5
    assert sorted(await bench.kept()) == sorted(ids)
    assert await bench.waiting() == 2
    assert bench.drain.lag == 2
    assert "cannot be read" in bench.drain.trouble


async def test_no_checkpoint_arrives_before_the_rows_that_it_covers(bench: Bench) -> None:
    for _ in range(3):
        await bench.close(5)
        bench.clock.advance(61)
        await bench.ledger.tick()
    watched = Watched(bench.store)
    draining = bench.another(watched)
    moved = asyncio.create_task(draining.step())
    # While the drain is under way the next checkpoint is signed over rows that it has not seen.
    await bench.close(5, "zulu")
    bench.clock.advance(61)
    await bench.ledger.tick()
    await moved
    report = await verify(bench.store)
    assert (report.findings, report.notes) == ([], [])
    await draining.step()
    await bench.ledger.stop()
    await draining.step()
    report = await verify(bench.store)
    assert (report.findings, report.notes, report.checkpoints, report.rows) == ([], [], 4, 24)


async def test_the_public_key_of_a_checkpoint_is_kept_when_it_is_first_seen(bench: Bench) -> None:
    await bench.close(1)
    await bench.ledger.stop()
    await bench.drain.step()
    (key,) = await bench.store.signing_keys()
    assert (key.kid, key.issuer, key.seen_at) == (bench.signer.kid, "llm_gateway", bench.clock.now_us())


async def test_while_sql_is_gone_rows_wait_and_then_arrive(
    redis: Redis, postgres: Postgres, tmp_path: Path
) -> None:
    bench = Bench(redis, tmp_path, await postgres.database())
    running = asyncio.create_task(bench.drain.run())
    before = await bench.close(10)
    await eventually(bench.empty, "all has been moved, and is forgotten in Redis")
    postgres.stop()
    try:
        during = await bench.close(10)
        await eventually(lambda: bench.drain.lag == 10)
        assert bench.drain.trouble
        assert await bench.waiting() == 10
    finally:
        postgres.start()
    await eventually(lambda: not bench.drain.trouble and not bench.drain.lag, "the drain goes on")
    assert sorted(await bench.kept()) == sorted(before + during)
    await cancelled(running)
    await bench.ledger.stop()
    await bench.store.close()


async def test_a_drain_without_redis_goes_on_trying(tmp_path: Path) -> None:
    store = open_store(f"sqlite://{tmp_path}/gatestack.db")
    alone = Drain(Redis(f"unix://{tmp_path}/nobody.sock"), store, Clock())
    running = asyncio.create_task(alone.run())
    await eventually(lambda: alone.trouble)
    assert not running.done()
    await cancelled(running)
    await store.close()
