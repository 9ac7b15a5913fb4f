"""Sets aside what this call may cost, in requests, tokens and money, for everybody it counts for, and for its
chain.
"""

from collections.abc import Sequence
from typing import Literal, TypeVar

import msgspec

from llm_gateway.ask import Ask
from llm_gateway.bill import service_of
from llm_gateway.catalog import Model
from llm_gateway.prices import cost
from llm_gateway.tokens import TokenCounter
from shared.identity.principal import Caller, ChainBudget
from shared.ledger.entry import Usage
from shared.limits.facts import caller_facts
from shared.limits.limiter import Lease, Limiter
from shared.limits.plan import UNITS, Estimate, Facts, Plan, plan
from shared.limits.rule import LimitRule
from shared.policy import Grant

# Whether tokens are counted: only for calls that a limit on tokens or money is for, for all, or for none.
Counting = Literal["limited", "always", "never"]
_COUNTED = frozenset(("tokens", "tokens_in", "tokens_out", "micros"))
_TOKENS_IN = UNITS.index("tokens_in")
_Asked = TypeVar("_Asked", bound=Ask)


class Limit:
    """`budget` is what any chain may spend; a caller's own only narrows it."""

    def __init__(
        self,
        rules: list[LimitRule],
        limiter: Limiter,
        budget: ChainBudget,
        counting: Counting = "limited",
    ) -> None:
        self._rules = rules
        self._limiter = limiter
        self._budget = budget
        self._counting = counting
        self._counter = TokenCounter()

    async def __call__(self, grant: Grant, model: Model, ask: Ask, tags: Sequence[str] = ()) -> Lease:
        """Raises LimitExceeded, BudgetExceeded, Unavailable."""
        caller = grant.caller
        planned = plan(self._rules, facts(caller, model, tags), estimate(model, ask))
        if ask.tokens_in and self._counts(caller, planned):
            usage = await self._counter.count(model.targets[0].model, ask)
            planned = planned.counted(estimate(model, ask, usage))
        return await self._limiter.reserve(
            planned,
            tenant=caller.principal.tenant,
            chain=caller.chain,
            budget=caller.budget.narrowed(self._budget),
            taint=model.labels,
        )

    def _counts(self, caller: Caller, planned: Plan) -> bool:
        """Not for the budget that every chain has: that is a brake for what has run wild, not a bill."""
        if self._counting != "limited":
            return self._counting == "always"
        own, all_have = caller.budget, self._budget
        narrowed = own.micros not in (None, all_have.micros) or own.tokens not in (None, all_have.tokens)
        return narrowed or any(rule.unit in _COUNTED for rule in planned.rules)


def counts(rules: Sequence[LimitRule], counting: Counting) -> bool:
    """Whether calls will be counted, so that what counts them may be loaded before the first one comes."""
    return counting == "always" or (counting == "limited" and any(rule.unit in _COUNTED for rule in rules))


def estimate(model: Model, ask: Ask, counted: Usage | None = None) -> Estimate:
    """At the price of the dearest target: which one will answer is not known yet."""
    given = counted or Usage(tokens_in=ask.tokens_in)
    usage = Usage(
        tokens_in=given.tokens_in,
        audio_in=given.audio_in,
        image_in=given.image_in,
        tokens_out=ask.tokens_out or model.default_output_tokens,
        units=ask.units,
    )
    return Estimate(
        requests=1,
        tokens_in=usage.tokens_in,
        tokens_out=usage.tokens_out,
        micros=cost(model.ceiling, usage, service_of(ask)),
        model_calls=1,
    )


def as_counted(ask: _Asked, lease: Lease) -> _Asked:
    """`ask` with the input that was set aside for it: what is billed where no provider counts."""
    tokens = lease.plan.amounts[_TOKENS_IN]
    return ask if tokens == ask.tokens_in else msgspec.structs.replace(ask, tokens_in=tokens)


def facts(caller: Caller, model: Model, tags: Sequence[str] = ()) -> Facts:
    """`provider` is the one that is asked first: who will answer is not known yet."""
    known: dict[str, str | tuple[str, ...]] = {**caller_facts(caller)}
    known["model"] = model.name
    known["provider"] = model.targets[0].provider.name
    if tags:
        known["tag"] = tuple(tags)
    return known
