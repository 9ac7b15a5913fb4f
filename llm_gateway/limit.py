"""Sets aside what this call may cost, in requests, tokens and money, for everybody it counts for, and for its
chain.
"""

from llm_gateway.catalog import Model
from llm_gateway.chat import Ask
from llm_gateway.prices import cost
from shared.identity.principal import Caller, ChainBudget
from shared.ledger.entry import Usage
from shared.limits.facts import caller_facts
from shared.limits.limiter import Lease, Limiter
from shared.limits.plan import Estimate, plan
from shared.limits.rule import LimitRule
from shared.policy import Grant

# Redis counts in doubles, which are exact up to here.
_MOST = 2**53 - 1


class Limit:
    """`budget` is what any chain may spend; a caller's own only narrows it."""

    def __init__(self, rules: list[LimitRule], limiter: Limiter, budget: ChainBudget) -> None:
        self._rules = rules
        self._limiter = limiter
        self._budget = budget

    async def __call__(self, grant: Grant, model: Model, ask: Ask) -> Lease:
        """Raises LimitExceeded, BudgetExceeded, Unavailable."""
        caller = grant.caller
        return await self._limiter.reserve(
            plan(self._rules, facts(caller, model), estimate(model, ask)),
            tenant=caller.principal.tenant,
            chain=caller.chain,
            budget=caller.budget.narrowed(self._budget),
            taint=model.labels,
        )


def estimate(model: Model, ask: Ask) -> Estimate:
    """At the price of the dearest target: which one will answer is not known yet."""
    usage = Usage(tokens_in=ask.tokens_in, tokens_out=ask.tokens_out or model.default_output_tokens)
    return Estimate(
        requests=1,
        tokens_in=usage.tokens_in,
        tokens_out=usage.tokens_out,
        micros=min(cost(model.ceiling, usage), _MOST),
        model_calls=1,
    )


def facts(caller: Caller, model: Model) -> dict[str, str]:
    return caller_facts(caller) | {"model": model.name}
