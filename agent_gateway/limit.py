"""Stage: takes what a call uses from every limit in reach and from its chain's budget, before it is made."""

from collections.abc import Sequence

from agent_gateway.read import Ask
from agent_gateway.spread import with_spread
from shared.config import ChainSection
from shared.identity.principal import Caller
from shared.limits.facts import caller_facts
from shared.limits.limiter import Lease, Limiter
from shared.limits.plan import Estimate, plan
from shared.limits.rule import LimitRule
from shared.policy import Grant

_PAGE, _AGENT_CALL = Estimate(), Estimate(agent_calls=1)


class Limit:
    def __init__(self, limiter: Limiter, rules: Sequence[LimitRule], chain: ChainSection) -> None:
        self._limiter = limiter
        self._rules = rules
        self._chain = chain

    async def __call__(self, grant: Grant, ask: Ask) -> Lease | None:
        """The lease, or None for a page that no limit is about. Raises LimitExceeded, BudgetExceeded."""
        caller, call = grant.caller, ask.call
        if call is None and not self._rules:
            return None
        delegates = call is not None and call.method.delegates
        planned = plan(self._rules, facts(caller, ask), _AGENT_CALL if delegates else _PAGE)
        if call is not None and delegates:
            planned = with_spread(planned, caller, ask.name, call, self._chain)
        return await self._limiter.reserve(
            planned,
            tenant=caller.principal.tenant,
            chain=caller.chain,
            budget=caller.budget,
            taint=ask.agent.labels if ask.agent is not None and delegates else (),
        )


def facts(caller: Caller, ask: Ask) -> dict[str, str]:
    """What rules may count by and match. `agent` is the agent that is called, not the one that calls: that is
    the `caller`, and both together are the `pair`, where it is an agent too.
    """
    skill = ask.call.names.skill if ask.call is not None else ""
    known = caller_facts(caller)
    calling = known["agent"]
    return known | {
        "agent": ask.name,
        "caller": caller.actor,
        "pair": f"{calling}>{ask.name}" if calling and ask.name else "",
        "skill": skill,
    }
