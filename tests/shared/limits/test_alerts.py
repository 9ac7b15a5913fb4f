"""When limits leave word that they are being used up: once for each threshold, by what was really used."""

import asyncio

import pytest

from shared.clock import Clock
from shared.errors import LimitExceeded
from shared.limits.limiter import Limiter
from shared.limits.plan import Estimate
from shared.redis_client import Redis
from tests.shared.limits.calls import limit, reserve, settle

CALL = Estimate(micros=40, model_calls=1)


def used(micros: int) -> Estimate:
    return Estimate(micros=micros, model_calls=1)


async def words(redis: Redis, tenant: str = "acme") -> list[tuple[str, int]]:
    """What was left so far: the threshold or `refused`, and what was used."""
    lines = [
        line.decode().split("\t") for line in await redis.execute("LRANGE", f"gs:{{{tenant}}}:alerts", 0, -1)
    ]
    return [(line[1], int(line[2])) for line in lines]


async def test_each_threshold_is_told_once_by_what_was_really_used(limiter: Limiter, redis: Redis) -> None:
    rules = [limit(100, "micros", alerts=(50, 80, 100))]
    told = []
    for micros in (40, 5, 10, 35, 10, 1):
        await settle(limiter, await reserve(limiter, rules, used(0)), used(micros))
        told.append(await words(redis))
    assert told[:2] == [[], []]
    assert told[2] == [("50", 55)]
    assert told[3] == [("50", 55), ("80", 90)]
    assert told[4] == told[5] == [("50", 55), ("80", 90), ("100", 100)]


async def test_what_is_only_reserved_alarms_nobody(limiter: Limiter, redis: Redis) -> None:
    rules = [limit(100, "micros", alerts=(50,))]
    leases = [await reserve(limiter, rules, CALL) for _ in range(2)]
    for lease in leases:
        await settle(limiter, lease, used(1))
    assert await words(redis) == []


async def test_one_call_may_pass_several_thresholds(limiter: Limiter, redis: Redis) -> None:
    lease = await reserve(limiter, [limit(100, "micros", alerts=(50, 80, 100))], CALL)
    await settle(limiter, lease, used(85))
    assert await words(redis) == [("50", 85), ("80", 85)]


async def test_the_first_refusal_of_a_window_is_told(limiter: Limiter, redis: Redis) -> None:
    rules = [limit(100, "micros", alerts=(50,))]
    heard: list[str] = []
    limiter.on_alert = heard.append
    await settle(limiter, await reserve(limiter, rules, used(0)), used(45))
    await reserve(limiter, rules, CALL)
    for _ in range(3):
        with pytest.raises(LimitExceeded):
            await reserve(limiter, rules, CALL)
    assert await words(redis) == [("refused", 85)]
    assert heard == ["acme"]


async def test_a_call_that_could_never_pass_is_no_sign_of_a_limit_used_up(
    limiter: Limiter, redis: Redis
) -> None:
    with pytest.raises(LimitExceeded):
        await reserve(limiter, [limit(100, "micros", alerts=(50,))], used(101))
    assert await words(redis) == []


async def test_a_settle_done_twice_is_told_once(limiter: Limiter, redis: Redis) -> None:
    lease = await reserve(limiter, [limit(100, "micros", alerts=(50,))], CALL)
    for _ in range(2):
        await settle(limiter, lease, used(60))
    assert await words(redis) == [("50", 60)]


async def test_many_processes_tell_each_threshold_once(limiter: Limiter, redis: Redis) -> None:
    rules = [limit(1000, "micros", alerts=(50, 80, 100)), limit(500, "micros", per="user", alerts=(100,))]
    others = [limiter, Limiter(redis, Clock()), Limiter(redis, Clock())]
    heard: list[str] = []

    async def call(number: int) -> None:
        mine = others[number % 3]
        mine.on_alert = heard.append
        lease = await reserve(mine, rules, used(10), user=f"user:{number % 2}")
        await settle(mine, lease, used(10))

    await asyncio.gather(*(call(number) for number in range(100)))
    assert sorted(what for what, _ in await words(redis)) == ["100", "100", "100", "50", "80"]
    assert set(heard) == {"acme"}


async def test_word_that_nobody_fetches_does_not_pile_up(limiter: Limiter, redis: Redis) -> None:
    rules = [limit(1, "micros", per="user", alerts=(100,))]
    for number in range(1005):
        await settle(limiter, await reserve(limiter, rules, used(0), user=f"user:{number}"), used(1))
    assert len(await words(redis)) == 1000


async def test_what_is_spent_is_forgotten_with_its_window(limiter: Limiter, redis: Redis) -> None:
    lease = await reserve(limiter, [limit(100, "micros", window="day", alerts=(50,))], CALL)
    await settle(limiter, lease, used(10))
    [spent] = await redis.execute("KEYS", "*:spent")
    counted = spent.decode().removesuffix(":spent")
    assert abs(await redis.execute("PTTL", spent) - await redis.execute("PTTL", counted)) < 2_000
    lease = await reserve(limiter, [limit(100, "micros", window="total", alerts=(50,), name="all")], CALL)
    await settle(limiter, lease, used(10))
    [spent] = await redis.execute("KEYS", "*all*:spent")
    assert await redis.execute("TTL", spent) == -1
