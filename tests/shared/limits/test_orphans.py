"""What leases hold comes back when nobody settles them, and nothing is left lying about."""

import asyncio

import pytest

from shared.clock import Clock
from shared.limits.limiter import Limiter
from shared.limits.plan import Estimate
from shared.redis_client import Redis
from tests.shared.limits.calls import counter, limit, reserve, settle

MODEL_CALL = Estimate(tokens_in=10, tokens_out=90, micros=500, model_calls=1)
USED = Estimate(tokens_in=12, tokens_out=20, micros=111, model_calls=1)


async def test_an_orphaned_lease_gives_back_what_it_held(redis: Redis) -> None:
    orphaned, other = Limiter(redis, Clock(), lease_seconds=0), Limiter(redis, Clock())
    rules = [limit(1, "concurrency"), limit(100, "tokens"), limit(1, window="total", name="all")]
    await reserve(orphaned, rules, MODEL_CALL, chain="lost")
    await reserve(other, rules, MODEL_CALL)
    state = await other.state("acme", "lost")
    assert (state.tokens, state.micros, state.model_calls) == (0, 0, 0)


async def test_an_orphan_of_another_tenant_is_not_touched(redis: Redis) -> None:
    orphaned, other = Limiter(redis, Clock(), lease_seconds=0), Limiter(redis, Clock())
    await reserve(orphaned, [limit(1)], tenant="zeta")
    await reserve(other, [limit(1)])
    assert await redis.execute("ZCARD", "gs:{zeta}:due") == 1


async def test_a_late_settle_books_the_truth_and_only_once(redis: Redis) -> None:
    orphaned, other = Limiter(redis, Clock(), lease_seconds=0), Limiter(redis, Clock())
    rules = [limit(1000, "tokens"), limit(5, "concurrency")]
    late = await reserve(orphaned, rules, MODEL_CALL, chain="late")
    await reserve(other, rules, Estimate(tokens_out=1, model_calls=1))
    assert await counter(redis, "team-tokens") == 1
    for row in (b"a", b"a", b"b"):
        await settle(other, late, USED, row=row)
    assert await counter(redis, "team-tokens") == 33
    assert await counter(redis, "team-concurrency") == 1
    assert (await other.state("acme", "late")).tokens == 32


async def test_many_orphans_are_swept_a_bounded_number_at_a_time(redis: Redis) -> None:
    limiter = Limiter(redis, Clock())
    for lease in [await reserve(limiter, [limit(1000)]) for _ in range(120)]:
        await redis.execute("ZADD", "gs:{acme}:due", 0, lease.id)  # expired, all at once
    await reserve(limiter, [limit(1000)])
    assert await redis.execute("ZCARD", "gs:{acme}:due") == 71
    assert await counter(redis, "team-requests") == 71


async def test_a_reserve_that_is_cancelled_on_its_way_gives_back(limiter: Limiter, redis: Redis) -> None:
    rules = [limit(1, "concurrency"), limit(5)]
    await settle(limiter, await reserve(limiter, rules), Estimate(requests=0))
    task = asyncio.create_task(reserve(limiter, rules))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await reserve(limiter, rules)
    assert await counter(redis, "team-requests") == 1


async def test_nothing_stays_behind_for_good_but_totals_and_rows(limiter: Limiter, redis: Redis) -> None:
    rules = [limit(9), limit(900, "tokens", window="day"), limit(5, "concurrency"), limit(9, per="chain")]
    rules.append(limit(9, per="chain", window="total", name="chain-total"))
    await settle(limiter, await reserve(limiter, rules, MODEL_CALL, taint=["a"]), USED)
    ends = {key: await redis.execute("TTL", key) for key in await redis.execute("KEYS", "*")}
    assert {key for key, seconds in ends.items() if seconds < 0} == {b"gs:tenants", b"gs:{acme}:ledger"}
