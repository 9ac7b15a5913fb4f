"""One of several processes that reserve from the same limit and the same chain budget at once. It is told on
stdin when to begin, and says how many calls it got through.
"""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

from shared.clock import Clock
from shared.errors import BudgetExceeded, LimitExceeded
from shared.identity.principal import ChainBudget
from shared.limits.lease import Lease
from shared.limits.limiter import Limiter
from shared.limits.plan import Estimate
from shared.redis_client import Redis
from tests.shared.limits.calls import limit, reserve

RULES = [limit(50, "micros", window="total"), limit(1000)]
CALL = Estimate(micros=1, model_calls=1)
CHAIN_BUDGET = ChainBudget(micros=50)


async def against_a_limit(limiter: Limiter, calls: int) -> int:
    """How many of `calls` at once get through, each in a chain of its own."""
    return await _through([reserve(limiter, RULES, CALL) for _ in range(calls)])


async def against_a_budget(limiter: Limiter, calls: int) -> int:
    """How many of `calls` at once get through in one chain."""
    return await _through(
        [reserve(limiter, [], CALL, chain="one", budget=CHAIN_BUDGET) for _ in range(calls)]
    )


async def main(url: str, calls: int) -> None:
    redis = await Redis.connect(url)
    limiter = Limiter(redis, Clock())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    taken = await against_a_limit(limiter, calls), await against_a_budget(limiter, calls)
    sys.stdout.write(f"{taken[0]} {taken[1]}\n")
    await redis.close()


async def _through(calls: list[Coroutine[Any, Any, Lease]]) -> int:
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if not isinstance(result, Lease | LimitExceeded | BudgetExceeded):
            raise AssertionError(f"neither let through nor refused: {result!r}")
    return sum(isinstance(result, Lease) for result in results)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
