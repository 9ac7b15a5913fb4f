"""A process that writes the ledger as fast as it can until somebody kills it.

It prints the id of each entry whose `close` has returned: what a client would have seen the answer of.
"""

import asyncio
import itertools
import sys
from pathlib import Path

from shared.clock import Clock
from shared.errors import Unavailable
from shared.identity.signing import Signer
from shared.ledger.journal import Journal
from shared.ledger.writer import Ledger
from shared.limits.limiter import Limiter
from shared.limits.plan import Estimate, plan
from shared.limits.rule import LimitRule
from shared.redis_client import Redis
from tests.support.rows import caller, entry

AT_ONCE = 20
RULES = [LimitRule(name="calls", per="tenant", unit="requests", amount=10**9, window="total")]


async def main(url: str, directory: str) -> None:
    redis, clock = await Redis.connect(url), Clock()
    limiter = Limiter(redis, clock)
    journal = Journal(Path(directory))
    ledger = Ledger(limiter, journal, Signer("writing"), service="writing", clock=clock)
    running = asyncio.create_task(ledger.run())
    await asyncio.gather(*(_calls(ledger, limiter, f"t{number % 3}") for number in range(AT_ONCE)))
    running.cancel()


async def _calls(ledger: Ledger, limiter: Limiter, tenant: str) -> None:
    for _ in itertools.count():
        who = caller(tenant=tenant)
        wanted = plan(RULES, {"tenant": tenant}, Estimate())
        try:
            lease = await limiter.reserve(wanted, tenant=tenant, chain=who.chain, budget=who.budget)
        except Unavailable:
            lease = None
        call = entry(who, cost_micros=1)
        await ledger.close(call, lease)
        sys.stdout.write(f"{call.id}\n")
        sys.stdout.flush()


asyncio.run(main(sys.argv[1], sys.argv[2]))
