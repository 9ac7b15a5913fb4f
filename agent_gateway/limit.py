"""Stage: takes what a call uses from every limit in reach and from its chain's budget, before it is made."""

from agent_gateway.read import Ask
from shared.identity.principal import Caller
from shared.limits.facts import caller_facts
from shared.limits.limiter import Lease, Limiter
from shared.limits.plan import Estimate, plan
from shared.limits.rule import LimitRule
from shared.policy import Grant

_PAGE, _AGENT_CALL = Estimate(), Estimate(agent_calls=1)


async def limit(grant: Grant, ask: Ask, rules: list[LimitRule], limiter: Limiter) -> Lease | None:
    """The lease, or None for a page that no limit is about. Raises LimitExceeded, BudgetExceeded."""
    caller, call = grant.caller, ask.call
    delegates = call is not None and call.method.delegates
    if call is None and not rules:
        return None
    labels = ask.agent.labels if ask.agent is not None and delegates else ()
    return await limiter.reserve(
        plan(rules, facts(caller, ask), _AGENT_CALL if delegates else _PAGE),
        tenant=caller.principal.tenant,
        chain=caller.chain,
        budget=caller.budget,
        taint=labels,
    )


def facts(caller: Caller, ask: Ask) -> dict[str, str]:
    """What rules may count by and match. `agent` is the agent that is called, not the one that calls."""
    skill = ask.call.names.skill if ask.call is not None else ""
    return caller_facts(caller) | {"agent": ask.name, "skill": skill}
