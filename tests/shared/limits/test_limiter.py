"""Reserving and settling limits, one caller at a time."""

import re

import pytest

from shared.errors import LimitExceeded
from shared.limits.lease import Left
from shared.limits.limiter import Limiter
from shared.limits.plan import Estimate
from shared.redis_client import Redis
from tests.shared.limits.calls import counter, limit, reserve, settle
from tests.support.wait import eventually

MODEL_CALL = Estimate(tokens_in=10, tokens_out=90, micros=500, model_calls=1)
USED = Estimate(tokens_in=12, tokens_out=20, micros=111, model_calls=1)


async def dump(redis: Redis) -> dict[bytes, bytes]:
    """Everything that the server holds."""
    keys = await redis.execute("KEYS", "*")
    return {key: await redis.execute("DUMP", key) for key in keys}


async def rows(redis: Redis, tenant: str = "acme") -> int:
    return int(await redis.execute("XLEN", f"gs:{{{tenant}}}:ledger"))


async def test_a_limit_lets_exactly_its_amount_through(limiter: Limiter) -> None:
    rules = [limit(3)]
    assert [(await reserve(limiter, rules)).counts[0] for _ in range(3)] == [2, 1, 0]
    with pytest.raises(LimitExceeded):
        await reserve(limiter, rules)


async def test_settling_puts_the_truth_in_the_place_of_the_estimate(limiter: Limiter, redis: Redis) -> None:
    rules = [limit(1000, "tokens"), limit(9999, "micros"), limit(5)]
    lease = await reserve(limiter, rules, MODEL_CALL)
    assert await counter(redis, "team-tokens") == 100
    await settle(limiter, lease, USED)
    assert [await counter(redis, f"team-{unit}") for unit in ("tokens", "micros", "requests")] == [32, 111, 1]


async def test_a_truth_above_the_estimate_counts_too_and_stops_what_follows(limiter: Limiter) -> None:
    rules = [limit(1000, "tokens")]
    lease = await reserve(limiter, rules, MODEL_CALL)
    await settle(limiter, lease, Estimate(tokens_out=1500, model_calls=1))
    with pytest.raises(LimitExceeded) as caught:
        await reserve(limiter, rules, Estimate(model_calls=1))
    assert caught.value.data == {
        "limit": "team-tokens",
        "unit": "tokens",
        "amount": 1000,
        "window": "month",
        "remaining": 0,
        "reset_s": int(caught.value.retry_after or 0),
    }


async def test_a_second_settle_of_a_lease_changes_nothing(limiter: Limiter, redis: Redis) -> None:
    lease = await reserve(limiter, [limit(1000, "tokens")], MODEL_CALL)
    await settle(limiter, lease, USED)
    before = await dump(redis)
    await settle(limiter, lease, USED)
    await settle(limiter, lease, Estimate(tokens_out=999, model_calls=1))
    assert await dump(redis) == before
    assert await rows(redis) == 1


async def test_another_row_with_a_settled_lease_is_kept_but_books_nothing(
    limiter: Limiter, redis: Redis
) -> None:
    lease = await reserve(limiter, [limit(1000, "tokens")], MODEL_CALL)
    await settle(limiter, lease, USED)
    await settle(limiter, lease, USED, row=b"another")
    assert (await counter(redis, "team-tokens"), await rows(redis)) == (32, 2)


async def test_a_row_without_a_lease_is_added_once(limiter: Limiter, redis: Redis) -> None:
    for _ in range(2):
        await settle(limiter, None, row=b'{"id":1}')
    [[_, fields]] = await redis.execute("XRANGE", "gs:{acme}:ledger", "-", "+")
    assert fields[:3] == [b"row", b'{"id":1}', b"hash"]
    assert len(fields[3]) == 32


async def test_each_tenant_is_registered_for_the_drain(limiter: Limiter, redis: Redis) -> None:
    for tenant in ("acme", "zeta", "acme"):
        await settle(limiter, None, tenant=tenant)
    assert sorted(await redis.execute("SMEMBERS", "gs:tenants")) == [b"acme", b"zeta"]


async def test_all_limits_of_a_call_are_taken_or_none(limiter: Limiter, redis: Redis) -> None:
    rules = [limit(100), limit(150, "tokens"), limit(10, "concurrency", per="user")]
    await reserve(limiter, rules, MODEL_CALL, chain="c")
    before = await dump(redis)
    with pytest.raises(LimitExceeded, match="'team-tokens'"):
        await reserve(limiter, rules, MODEL_CALL, chain="d", taint=["reads:private"])
    with pytest.raises(LimitExceeded, match="'team-tokens'"):
        await reserve(limiter, rules, MODEL_CALL, chain="c", taint=["reads:private"])
    assert await dump(redis) == before


async def test_a_call_that_is_refused_first_leaves_nothing_at_all(limiter: Limiter, redis: Redis) -> None:
    with pytest.raises(LimitExceeded):
        await reserve(limiter, [limit(0)])
    assert await dump(redis) == {}


async def test_concurrency_is_free_again_after_a_settle(limiter: Limiter, redis: Redis) -> None:
    rules = [limit(2, "concurrency")]
    first, second = await reserve(limiter, rules), await reserve(limiter, rules)
    with pytest.raises(LimitExceeded, match="all are under way") as caught:
        await reserve(limiter, rules)
    assert caught.value.retry_after == 1.0
    await settle(limiter, first)
    third = await reserve(limiter, rules)
    for lease in (second, third):
        await settle(limiter, lease)
    assert await redis.execute("KEYS", "*concurrency*") == []


async def test_subjects_are_counted_apart_and_tenants_never_share(limiter: Limiter) -> None:
    rules = [limit(1, per="user"), limit(1, per="tenant", name="t")]
    await reserve(limiter, rules[:1])
    await reserve(limiter, rules[:1], user="user:bob")
    await reserve(limiter, rules, tenant="zeta")
    with pytest.raises(LimitExceeded):
        await reserve(limiter, rules[:1])
    with pytest.raises(LimitExceeded):
        await reserve(limiter, rules[1:], tenant="zeta")
    await reserve(limiter, rules[1:])


ODD = ["a", "a}", "{a}", "a:b", "a\nb", "a\tb", "a b", "", "%", "é\udc80", "*", "a" * 65, "a" * 66]


async def test_odd_names_of_subjects_do_not_meet(limiter: Limiter) -> None:
    rules = [limit(1, per="user")]
    leases = [await reserve(limiter, rules, user=name) for name in ODD]
    for name in ODD:
        with pytest.raises(LimitExceeded):
            await reserve(limiter, rules, user=name)
    for lease in leases:
        await settle(limiter, lease, Estimate(requests=0))
    assert [(await reserve(limiter, rules, user=name)).counts[0] for name in ODD] == [0] * len(ODD)


async def test_odd_names_of_tenants_and_chains_do_not_meet(limiter: Limiter) -> None:
    rules = [limit(1)]
    for name in ODD:
        await reserve(limiter, rules, Estimate(tool_calls=1), tenant=name, chain=name)
    for name in ODD:
        assert (await limiter.state(name, name)).tool_calls == 1
        with pytest.raises(LimitExceeded):
            await reserve(limiter, rules, tenant=name)


async def test_a_refusal_says_which_limit_and_when_to_come_back(limiter: Limiter) -> None:
    rules = [limit(1, window="month"), limit(1, per="user", window="day")]
    await reserve(limiter, rules)
    with pytest.raises(LimitExceeded) as caught:
        await reserve(limiter, rules)
    assert re.fullmatch(
        r"limit 'team-requests': 1 requests per month for each team; 0 left, this call needs 1; "
        r"it starts anew in \d+ s",
        caught.value.detail,
    )
    assert 0 < (caught.value.retry_after or 0) <= 31 * 86_400


async def test_a_call_that_can_never_pass_is_told_so(limiter: Limiter) -> None:
    with pytest.raises(LimitExceeded, match="more than it will ever allow") as caught:
        await reserve(limiter, [limit(99, "tokens")], MODEL_CALL)
    assert caught.value.retry_after is None


async def test_a_total_that_is_used_up_does_not_ask_to_come_back(limiter: Limiter) -> None:
    rules = [limit(1, window="total")]
    await reserve(limiter, rules)
    with pytest.raises(LimitExceeded, match="does not start anew") as caught:
        await reserve(limiter, rules)
    assert caught.value.retry_after is None


async def test_a_window_that_is_over_counts_from_zero(limiter: Limiter) -> None:
    rules = [limit(2, window="second")]

    async def refused() -> bool:
        try:
            await reserve(limiter, rules)
        except LimitExceeded as error:
            return error.retry_after == 1.0
        return False

    async def allowed() -> bool:
        return not await refused()

    await eventually(refused, "the second is used up")
    await eventually(allowed, "the next second")


async def test_windows_begin_at_whole_ones_of_the_servers_clock(limiter: Limiter, redis: Redis) -> None:
    await reserve(limiter, [limit(5, window="day")])
    now = int((await redis.execute("TIME"))[0])
    [key] = await redis.execute("KEYS", "gs:{acme}:l:*")
    assert key == f"gs:{{acme}}:l:team-requests:requests:support:d{now - now % 86400}".encode()
    assert await redis.execute("EXPIRETIME", key) == now - now % 86400 + 86400 + 60


async def test_a_lease_tells_what_is_left_of_the_tightest_limits(limiter: Limiter) -> None:
    rules = [limit(50), limit(9, per="user"), limit(5000, "tokens"), limit(400, "tokens_out", per="user")]
    lease = await reserve(limiter, [*rules, limit(1, "concurrency"), limit(700, "micros")], MODEL_CALL)
    found = lease.left()
    assert [(left.unit, left.amount, left.left) for left in found] == [
        ("requests", 9, 8),
        ("tokens", 400, 310),
    ]
    assert all(left.reset is not None and 0 < left.reset <= 31 * 86400 for left in found)


async def test_a_lease_tells_nothing_of_limits_that_are_not_there(limiter: Limiter) -> None:
    assert (await reserve(limiter)).left() == []
    assert (await reserve(limiter, [limit(5, window="total")])).left() == [Left("requests", 5, 4, None)]
