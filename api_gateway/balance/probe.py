"""Asks replicas how they are, whether or not requests come in."""

import asyncio
import random

from api_gateway.balance.pool import Pool
from api_gateway.balance.replica import Replica
from api_gateway.balance.settings import Probe
from shared.errors import UpstreamFault
from shared.http_client import HttpClient

# Part of the interval that a check is moved by, so that many edges do not ask in the same moment.
JITTER = 0.2
_ANSWER_CAP = 65_536


async def probe(pool: Pool, http: HttpClient, dice: random.Random) -> None:
    """Checks every replica of the pool once, at moments of their own."""
    rule = pool.rule.health
    if rule is None:
        return
    replicas = [replica for replica in pool.members if not replica.leaving]
    await asyncio.gather(*(_one(pool, replica, rule, http, dice) for replica in replicas))


async def _one(pool: Pool, replica: Replica, rule: Probe, http: HttpClient, dice: random.Random) -> None:
    await asyncio.sleep(dice.random() * JITTER * rule.interval_seconds)
    pool.probed(replica, await _well(replica, rule, pool.http or http))


async def _well(replica: Replica, rule: Probe, http: HttpClient) -> bool:
    try:
        reply = await http.send(
            "GET",
            f"{replica.url}{rule.path}",
            connect_timeout=rule.timeout_seconds,
            header_timeout=rule.timeout_seconds,
            idle_timeout=rule.timeout_seconds,
            pinned=replica.pinned,
        )
        async with reply:
            await reply.read(_ANSWER_CAP)
            return reply.status < 400
    except UpstreamFault:
        return False
