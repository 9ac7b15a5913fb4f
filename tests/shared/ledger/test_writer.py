"""The writing end of the ledger: one unbroken chain, and no row that is lost once `close` has returned."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.clock import Clock
from shared.errors import Unavailable
from shared.identity.principal import ChainBudget
from shared.identity.signing import Signer
from shared.ledger.checkpoint import Mark, Notary
from shared.ledger.entry import Usage
from shared.ledger.journal import Journal
from shared.ledger.writer import Ledger
from shared.limits.keys import tenant_keys
from shared.limits.limiter import Lease, Limiter
from shared.limits.plan import Estimate, plan
from shared.redis_client import Redis, RedisError
from tests.shared.ledger.fakes import FakeLimiter, assert_chained, lease
from tests.support.clock import FakeClock
from tests.support.rows import caller, entry
from tests.support.wait import eventually


class Bench:
    """A ledger with a limiter and a clock in the test's hands."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.limiter = FakeLimiter()
        self.clock = FakeClock()
        self.signer = Signer("llm_gateway")
        self.ledger = self.another()

    def another(self, *, signer: bool = True) -> Ledger:
        journal = Journal(self.directory)
        signs = self.signer if signer else None
        return Ledger(self.limiter.as_limiter(), journal, signs, service="llm_gateway", clock=self.clock)

    @property
    def checkpoints(self) -> list[tuple[int, int]]:
        """The place of each checkpoint, and up to where it vouches for the chain."""
        notary = Notary([self.signer.jwks()])
        found = []
        for row in self.limiter.chain:
            if row.checkpoint:
                mark = notary.mark(row.checkpoint)
                assert isinstance(mark, Mark)
                found.append((row.seq, mark.seq))
        return found

    def files(self) -> list[str]:
        return [path.name for path in self.directory.glob("*")]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path / "journal")
    yield bench
    bench.limiter.back()
    bench.limiter.error_with_lease = None
    await bench.ledger.stop()


async def test_hundreds_of_calls_that_end_at_once_make_one_unbroken_chain(bench: Bench) -> None:
    await asyncio.gather(*(bench.ledger.close(entry(), None) for _ in range(500)))
    assert len(bench.limiter.rows) == 500
    assert_chained(bench.limiter.rows)


async def test_every_process_writes_a_chain_of_its_own(bench: Bench) -> None:
    other = bench.another()
    assert bench.ledger.writer != other.writer
    assert other.writer.startswith("llm_gateway-")
    assert len(other.writer.removeprefix("llm_gateway-")) == 26
    await other.stop()


async def test_the_lease_is_settled_with_what_the_call_used_in_truth(bench: Bench) -> None:
    call = entry(usage=Usage(tokens_in=7, tokens_out=5), cost_micros=11)
    await bench.ledger.close(call, lease("l9", tokens_in=100, model_calls=1, micros=999))
    used = Estimate(requests=1, tokens_in=7, tokens_out=5, micros=11, model_calls=1)
    assert bench.limiter.settled == [("l9", used)]
    assert bench.limiter.tenants == ["acme"]


async def test_a_close_that_is_cancelled_still_brings_its_row(bench: Bench) -> None:
    bench.limiter.open.clear()
    closing = [asyncio.create_task(bench.ledger.close(entry(), lease(f"l{n}"))) for n in range(20)]
    await asyncio.sleep(0)
    for task in closing[::2]:
        task.cancel()
    bench.limiter.open.set()
    results = await asyncio.gather(*closing, return_exceptions=True)
    assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 10
    await bench.ledger.stop()
    assert_chained(bench.limiter.rows)
    assert {row.outcome for row in bench.limiter.chain if not row.checkpoint} == {"completed"}
    assert len([row for row in bench.limiter.chain if not row.checkpoint]) == 20


async def test_while_redis_is_gone_rows_wait_in_the_journal_and_follow_when_it_is_back(bench: Bench) -> None:
    await bench.ledger.close(entry(), None)
    bench.limiter.gone()
    await asyncio.gather(
        *(bench.ledger.close(entry(caller(tenant=f"t{n}")), lease(f"l{n}")) for n in range(50))
    )
    assert bench.ledger.trouble
    assert bench.files() == [f"{bench.ledger.writer}.jsonl"]
    await bench.ledger.tick()
    assert len(bench.limiter.rows) == 1
    bench.limiter.back()
    await bench.ledger.tick()
    assert_chained(bench.limiter.rows)
    assert sorted(bench.limiter.tenants) == sorted(["acme", *(f"t{n}" for n in range(50))])
    assert sorted(name for name, _ in bench.limiter.settled) == sorted(f"l{n}" for n in range(50))
    assert bench.files() == []
    assert bench.ledger.trouble == ""


async def test_what_a_dead_writer_left_in_its_journal_is_sent_by_another(bench: Bench) -> None:
    dead = bench.another(signer=False)
    bench.limiter.gone()
    await dead.close(entry(), lease("l1", tool_calls=1))
    await dead.stop()
    bench.limiter.back()
    await bench.ledger.tick()
    assert [row.writer for row in bench.limiter.chain] == [dead.writer]
    assert bench.limiter.settled == [("l1", Estimate(requests=1, tool_calls=1))]
    assert bench.files() == []


async def test_the_journal_of_a_writer_that_lives_is_left_alone(bench: Bench) -> None:
    living = bench.another()
    bench.limiter.gone()
    await living.close(entry(), None)
    bench.limiter.back()
    await bench.ledger.tick()
    assert bench.limiter.rows == []
    assert bench.files() == [f"{living.writer}.jsonl"]
    await living.stop()


async def test_a_lease_that_redis_will_not_settle_does_not_hold_up_the_row(bench: Bench) -> None:
    bench.limiter.error_with_lease = RedisError("WRONGTYPE")
    await bench.ledger.close(entry(), lease())
    await bench.ledger.tick()
    assert len(bench.limiter.rows) == 1
    assert bench.files() == []


async def test_a_row_that_neither_redis_nor_the_disk_takes_is_refused_held_and_brought_later(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    bench = Bench(tmp_path / "file" / "journal")
    await bench.ledger.close(entry(), None)
    bench.limiter.gone()
    for _ in range(3):
        with pytest.raises(Unavailable):
            await bench.ledger.close(entry(), None)
    bench.limiter.back()
    await bench.ledger.close(entry(), None)
    await bench.ledger.tick()
    assert len(bench.limiter.rows) == 5
    assert_chained(bench.limiter.rows)
    await bench.ledger.stop()


async def test_a_checkpoint_is_signed_after_a_thousand_rows(bench: Bench) -> None:
    running = asyncio.create_task(bench.ledger.run())
    for _ in range(1000):
        await bench.ledger.close(entry(), None)
    await eventually(lambda: bench.checkpoints == [(1001, 1000)])
    running.cancel()
    assert bench.limiter.tenants[-1] == ""


async def test_a_checkpoint_is_signed_after_a_minute_with_rows_and_none_while_nothing_happens(
    bench: Bench,
) -> None:
    await bench.ledger.close(entry(), None)
    await bench.ledger.tick()
    assert bench.checkpoints == []
    for _ in range(3):
        bench.clock.advance(61)
        await bench.ledger.tick()
    assert bench.checkpoints == [(2, 1)]
    await bench.ledger.close(entry(), None)
    await bench.ledger.tick()
    assert bench.checkpoints == [(2, 1)]
    bench.clock.advance(61)
    await bench.ledger.tick()
    assert bench.checkpoints == [(2, 1), (4, 3)]


async def test_a_checkpoint_vouches_only_for_rows_that_have_arrived(bench: Bench) -> None:
    await bench.ledger.close(entry(), None)
    bench.limiter.open.clear()
    slow = asyncio.create_task(bench.ledger.close(entry(), None))
    await asyncio.sleep(0)
    bench.clock.advance(61)
    signing = asyncio.create_task(bench.ledger.tick())
    await eventually(lambda: bench.limiter.asked == 3)
    bench.limiter.open.set()
    await asyncio.gather(slow, signing)
    assert bench.checkpoints == [(3, 1)]
    bench.clock.advance(61)
    await bench.ledger.tick()
    assert bench.checkpoints == [(3, 1), (4, 3)]
    assert_chained(bench.limiter.rows)


async def test_no_checkpoint_overtakes_the_rows_that_it_covers(bench: Bench) -> None:
    bench.limiter.gone()
    await bench.ledger.close(entry(), None)
    bench.clock.advance(61)
    await bench.ledger.tick()
    assert bench.files() == [f"{bench.ledger.writer}.jsonl"]
    bench.limiter.back()
    await bench.ledger.tick()
    assert [row.checkpoint != "" for row in bench.limiter.chain] == [False, True]


async def test_stopping_signs_the_end_of_the_chain(bench: Bench) -> None:
    await bench.ledger.close(entry(), None)
    await bench.ledger.stop()
    assert bench.checkpoints == [(2, 1)]


async def test_a_ledger_without_a_signer_chains_and_signs_nothing(bench: Bench) -> None:
    unsigned = bench.another(signer=False)
    await unsigned.close(entry(), None)
    bench.clock.advance(61)
    await unsigned.tick()
    await unsigned.stop()
    assert len(bench.limiter.rows) == 1


class Flaky(FakeLimiter):
    """A limiter over a real Redis that a test can take away all the same."""

    def __init__(self, redis: Redis) -> None:
        super().__init__()
        self.real = Limiter(redis, Clock())

    async def settle(
        self, lease: Lease | None, used: Estimate, *, tenant: str, row: bytes, hash: bytes
    ) -> None:
        await super().settle(lease, used, tenant=tenant, row=row, hash=hash)
        await self.real.settle(lease, used, tenant=tenant, row=row, hash=hash)


@pytest.mark.parametrize("through_journal", [False, True])
async def test_what_was_reserved_is_replaced_by_the_truth_exactly_once(
    bench: Bench, redis: Redis, through_journal: bool
) -> None:
    limiter = bench.limiter = Flaky(redis)
    ledger = bench.another()
    who = caller(budget=ChainBudget(tokens=1000, model_calls=3))
    wanted = plan([], {}, Estimate(tokens_in=400, model_calls=1))
    held = await limiter.real.reserve(wanted, tenant="acme", chain=who.chain, budget=who.budget)
    if through_journal:
        limiter.gone()
    await ledger.close(entry(who, usage=Usage(tokens_in=30, tokens_out=7), cost_micros=9), held)
    limiter.back()
    await ledger.tick()
    await ledger.tick()
    state = await limiter.real.state("acme", who.chain)
    assert (state.tokens, state.micros, state.model_calls) == (37, 9, 1)
    assert await redis.execute("XLEN", tenant_keys("acme").ledger) == 1
    await ledger.stop()
