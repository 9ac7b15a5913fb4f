"""Calls as a service would announce them to the limiter, with what a test does not care about filled in."""

import hashlib
from collections.abc import Sequence
from typing import Any

from shared.identity.principal import ChainBudget
from shared.ledger.entry import new_id
from shared.limits.lease import Lease
from shared.limits.limiter import Limiter
from shared.limits.plan import Estimate, plan
from shared.limits.rule import LimitRule, Per, Unit, Window
from shared.redis_client import Redis

FACTS = {
    "key": "k1",
    "user": "user:alice",
    "agent": "agent:planner",
    "team": "support",
    "project": "apollo",
    "tenant": "acme",
    "tier": "gold",
    "model": "fast",
    "chain": "chain-1",
}
CALL = Estimate()


def limit(
    amount: int,
    unit: Unit = "requests",
    per: Per = "team",
    window: Window = "month",
    name: str = "",
    **more: Any,
) -> LimitRule:
    """Over a month unless told otherwise: no test that runs at midnight sees a counter start anew."""
    return LimitRule(name=name or f"{per}-{unit}", per=per, unit=unit, amount=amount, window=window, **more)


async def reserve(
    limiter: Limiter,
    rules: Sequence[LimitRule] = (),
    estimate: Estimate = CALL,
    *,
    tenant: str = "acme",
    chain: str | None = None,
    budget: ChainBudget | None = None,
    taint: Sequence[str] = (),
    **facts: str | tuple[str, ...],
) -> Lease:
    wanted = plan(rules, {**FACTS, **facts}, estimate)
    chain = new_id() if chain is None else chain
    budget = budget or ChainBudget()
    return await limiter.reserve(wanted, tenant=tenant, chain=chain, budget=budget, taint=taint)


async def settle(
    limiter: Limiter, lease: Lease | None, used: Estimate = CALL, *, tenant: str = "acme", row: bytes = b"{}"
) -> None:
    """Each lease has a row of its own; without one, the row is what tells settles apart."""
    row = row + (lease.id.encode() if lease else b"")
    await limiter.settle(lease, used, tenant=tenant, row=row, hash=hashlib.sha256(row).digest())


async def counter(redis: Redis, name: str) -> int:
    """What the only window of a limit's counters holds."""
    [key] = await redis.execute("KEYS", f"gs:{{acme}}:l:{name}:*")
    return int(await redis.execute("GET", key))
