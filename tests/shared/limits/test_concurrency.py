"""Never overspent, however many ask at once."""

import asyncio
import random
import sys
from pathlib import Path

from shared.errors import LimitExceeded
from shared.limits.limiter import Limiter
from shared.limits.plan import Estimate
from shared.redis_client import Redis
from shared.valkey import EmbeddedValkey
from tests.shared.limits.calls import limit, reserve, settle
from tests.shared.limits.contender import against_a_budget, against_a_limit

_ROOT = Path(__file__).parents[3]


async def test_200_calls_at_once_against_50_take_exactly_50(limiter: Limiter) -> None:
    for contend in (against_a_limit, against_a_budget):
        assert [await contend(limiter, 200), await contend(limiter, 200)] == [50, 0]


async def test_200_calls_of_three_processes_against_50_take_exactly_50(
    valkey: EmbeddedValkey, redis: Redis
) -> None:
    async def contender(calls: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.shared.limits.contender", valkey.url, str(calls)),
            cwd=_ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )

    processes = [await contender(calls) for calls in (67, 67, 66)]
    async with asyncio.timeout(25):
        for process in processes:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
        said = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    taken = [[int(number) for number in out.split()] for out, _ in said]
    assert [sum(numbers) for numbers in zip(*taken, strict=True)] == [50, 50]


async def test_calls_that_come_and_go_at_random_never_hold_more_than_the_limit(
    limiter: Limiter, redis: Redis
) -> None:
    rules = [limit(5, "concurrency"), limit(40, "micros"), limit(10_000, "tokens", per="user")]
    dice = random.Random(7)
    held = most = spent = refused = 0

    async def call() -> None:
        nonlocal held, most, spent, refused
        try:
            lease = await reserve(limiter, rules, Estimate(micros=1, tokens_out=10, model_calls=1))
        except LimitExceeded:
            refused += 1
            return
        held += 1
        most = max(most, held)
        for _ in range(dice.randrange(4)):
            await redis.execute("PING")
        held -= 1
        used = dice.choice([0, 1])
        spent += used
        await settle(limiter, lease, Estimate(micros=used, tokens_out=used * 10, model_calls=1))

    async def caller() -> None:
        for _ in range(25):
            await call()

    await asyncio.gather(*(caller() for _ in range(12)))
    assert refused > 0
    assert most <= 5
    assert spent <= 40
    [key] = await redis.execute("KEYS", "gs:{acme}:l:team-micros:*")
    assert int(await redis.execute("GET", key)) == spent
    assert await redis.execute("KEYS", "*concurrency*") == []
    assert await redis.execute("ZCARD", "gs:{acme}:due") == 0
