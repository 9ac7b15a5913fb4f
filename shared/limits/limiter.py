"""Reserves before a call and settles after it: one script, one round trip each. The counting is in Lua,
beside this file, because only there it is atomic.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from shared.chain import AMOUNTS, DIMENSIONS, ChainState
from shared.clock import Clock
from shared.errors import GatestackError, Unavailable
from shared.identity.principal import ChainBudget
from shared.ledger.entry import new_id
from shared.limits.keys import TENANTS, TenantKeys, tenant_keys
from shared.limits.lease import Lease, budget_refusal, limit_refusal
from shared.limits.plan import PARTS, UNITS, Estimate, Plan
from shared.limits.scripts import reserve_script, settle_script, taint_script
from shared.redis_client import Redis, RedisError, Script

__all__ = ["Lease", "Limiter"]

_PARTS_OF_REFUSAL = 4
_TAINT = "taint:"
_BUDGET = "budget_"
_CAN_RESERVE = 1
_LIMIT_REACHED = 0
_SETTLED_AND_TOLD = 2
_NOTHING = Estimate(requests=0).amounts(concurrency=0)
# Reservations of which nobody knows whether they were made: more of them than this wait to expire.
_MOST_DOUBTFUL = 10_000


class Limiter:
    """An orphaned lease gives back what it holds after `lease_seconds`. A call that lasts longer than that no
    longer counts against concurrency; what it used is booked all the same when it settles.
    """

    def __init__(self, redis: Redis, clock: Clock, *, lease_seconds: int = 600) -> None:
        self._redis = redis
        self._clock = clock
        self._life_ms = lease_seconds * 1000
        self._tenants: set[str] = set()
        self._generation = -1
        self._doubtful: deque[tuple[TenantKeys, str, str]] = deque(maxlen=_MOST_DOUBTFUL)
        self._reserve, self._settle, self._taint = reserve_script(), settle_script(), taint_script()
        # Called with the tenant whose limits left word for somebody.
        self.on_alert: Callable[[str], None] = lambda _: None

    async def reserve(
        self, plan: Plan, *, tenant: str, chain: str, budget: ChainBudget, taint: Sequence[str] = ()
    ) -> Lease:
        """Takes what `plan` says from every limit and from the chain's budget, and adds `taint` to the chain:
        all of it or nothing. Raises LimitExceeded, BudgetExceeded; Unavailable if Redis is gone and a limit,
        the budget or the taint must not be passed over.
        """
        lease_id, names = new_id(), tenant_keys(tenant)
        keys = (names.due, names.chain(chain), names.lease(lease_id))
        arguments = (
            names.prefix,
            lease_id,
            self._life_ms,
            len(plan.rules),
            *_caps(budget),
            *plan.amounts,
            *plan.arguments,
            *taint,
        )
        try:
            reply = await self._run(self._reserve, keys, arguments)
        except Unavailable:
            if taint or not plan.survives_outage or budget != ChainBudget():
                # It may have been made all the same.
                self._doubtful.append((names, chain, lease_id))
                raise
            return Lease(id=lease_id, tenant=tenant, chain=chain, plan=plan, reserved=False)
        except asyncio.CancelledError:
            self._release(names, chain, lease_id)
            raise
        if reply[0] != _CAN_RESERVE:
            if len(reply) > _PARTS_OF_REFUSAL:
                self.on_alert(tenant)
            raise _refusal(reply, plan)
        counted = 1 + 2 * len(plan.rules)
        labels = tuple(label.decode() for label in reply[counted]) if len(reply) > counted else ()
        return Lease(
            id=lease_id, tenant=tenant, chain=chain, plan=plan, counts=tuple(reply[1:counted]), taint=labels
        )

    async def settle(
        self, lease: Lease | None, used: Estimate, *, tenant: str, row: bytes, hash: bytes
    ) -> None:
        """Puts the truth in the place of the reservation and adds the ledger's row, each once however often
        this is tried. Raises Unavailable when Redis is gone: nobody knows then whether it has been done.
        """
        await self._register(tenant)
        names = tenant_keys(tenant)
        lease_id, chain = (lease.id, lease.chain) if lease else ("", "")
        keys = (names.due, names.chain(chain), names.lease(lease_id), names.ledger, names.row(hash))
        amounts = used.amounts(concurrency=0)
        arguments = (names.prefix, lease_id, *amounts, row, hash, *_unreserved(lease))
        if await self._run(self._settle, keys, arguments) == _SETTLED_AND_TOLD:
            self.on_alert(tenant)

    async def taint(self, tenant: str, chain: str, labels: Sequence[str]) -> None:
        """Adds to what the chain has met. Raises Unavailable: what nobody knows of, no rule can refuse."""
        await self._run(self._taint, (tenant_keys(tenant).chain(chain),), labels)

    async def state(self, tenant: str, chain: str) -> ChainState:
        """What the chain has used up to now. Raises Unavailable."""
        flat = await self._redis.execute("HGETALL", tenant_keys(tenant).chain(chain))
        fields = {flat[at].decode(): flat[at + 1] for at in range(0, len(flat), 2)}
        caps = {name: int(fields[_BUDGET + name]) for name in DIMENSIONS if _BUDGET + name in fields}
        return ChainState(
            **{name: int(fields.get(name, 0)) for name in AMOUNTS},
            started=int(fields.get("started", 0)),
            taint=frozenset(name.removeprefix(_TAINT) for name in fields if name.startswith(_TAINT)),
            budget=ChainBudget(**caps),
        )

    async def _register(self, tenant: str) -> None:
        """Tells the ledger's drain that this tenant has a stream, again after every reconnection."""
        if self._generation != self._redis.generation:
            self._tenants.clear()
            self._generation = self._redis.generation
        if tenant not in self._tenants:
            await self._redis.execute("SADD", TENANTS, tenant.encode(errors="surrogatepass"))
            self._tenants.add(tenant)

    async def _run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | int | bytes]) -> Any:
        """A server that refuses our own scripts is of no more use than one that is gone."""
        try:
            answer = await self._redis.run(script, keys, arguments)
        except RedisError as error:
            raise Unavailable("limits cannot be counted at the moment, try again", cause=error) from error
        while self._doubtful:
            self._release(*self._doubtful.popleft())
        return answer

    def _release(self, names: TenantKeys, chain: str, lease_id: str) -> None:
        """Gives back what a reserve took whose answer nobody waits for any more."""
        keys = (names.due, names.chain(chain), names.lease(lease_id), names.ledger, names.row(b""))
        self._redis.post(self._settle, keys, (names.prefix, lease_id, *_NOTHING, "", ""))


def _caps(budget: ChainBudget) -> tuple[int | str, ...]:
    caps = (
        budget.micros,
        budget.tokens,
        budget.model_calls,
        budget.tool_calls,
        budget.agent_calls,
        budget.seconds,
    )
    return tuple(["" if cap is None else cap for cap in caps])


def _refusal(reply: list[Any], plan: Plan) -> GatestackError:
    kind, place, used, last = reply[:_PARTS_OF_REFUSAL]
    if kind == _LIMIT_REACHED:
        need = plan.arguments[place * PARTS - 2]
        return limit_refusal(plan.rules[place - 1], used=used, need=int(need), reset=last)
    name = DIMENSIONS[place - 1]
    need = plan.amounts[UNITS.index(name)] if name in UNITS else 0
    return budget_refusal(place - 1, used=used, need=need, cap=last)


def _unreserved(lease: Lease | None) -> list[str | int]:
    """Stem, window, unit and alerts of each limit of a lease that never was."""
    if lease is None or lease.reserved:
        return []
    parts = lease.plan.arguments
    return [part for at in range(0, len(parts), PARTS) for part in (*parts[at : at + 3], parts[at + 5])]
