"""The edge's own limits: per key, user, team, tenant, tier and route, before anything is forwarded."""

from shared.identity.principal import Caller, ChainBudget
from shared.limits.facts import caller_facts
from shared.limits.limiter import Lease, Limiter
from shared.limits.plan import Estimate, plan
from shared.limits.rule import LimitRule
from shared.policy import Grant

_ONE_REQUEST = Estimate()
# The chain's budget is spent where the cost arises, by the gateways behind the edge.
_NOT_HERE = ChainBudget()


async def limit(grant: Grant, rules: list[LimitRule], limiter: Limiter, route: str) -> Lease | None:
    """Takes what this request uses, or raises LimitExceeded. None where no limit applies: no round trip is
    made then.
    """
    caller = grant.caller
    if not rules and not caller.bounds.limits:
        return None
    wanted = plan(rules, facts(caller, route), _ONE_REQUEST)
    return await limiter.reserve(wanted, tenant=caller.principal.tenant, chain=caller.chain, budget=_NOT_HERE)


def facts(caller: Caller, route: str) -> dict[str, str]:
    return caller_facts(caller) | {"route": route}
