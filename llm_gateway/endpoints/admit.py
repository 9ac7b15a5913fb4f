"""Policy and limits for calls that are about no one model: files, batches, a provider's own paths."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from llm_gateway.authorize import decide
from llm_gateway.catalog import Model
from llm_gateway.tags import read_tags
from shared.account import Flight
from shared.approvals import refuse_asking
from shared.errors import Forbidden, NotFound
from shared.identity.principal import Caller, ChainBudget
from shared.limits.facts import caller_facts
from shared.limits.limiter import Lease, Limiter
from shared.limits.plan import Estimate, plan
from shared.limits.rule import LimitRule
from shared.policy import Decision, Grant, Policy, PolicyBox, granted

_ONE = Estimate(requests=1)


class Permit(Struct, frozen=True):
    """One caller's leave to use models, asked again for each of them at one epoch of policy."""

    policy: Policy
    caller: Caller
    facts: Mapping[str, Any]

    def decide(self, model: Model) -> Decision:
        """A model that needs a person's consent is refused: nobody is asked line by line."""
        facts = {**self.facts, "labels": model.labels}
        decision = decide(self.policy, self.caller, model.resource, model, facts)
        if not decision.approval:
            return decision
        why = f"{decision.asks} wants a person's consent, which cannot be asked for here"
        return Decision(False, decision.asks, decision.epoch, decision.hop, why)


class Admit:
    """`budget` is what any chain may spend; a caller's own only narrows it."""

    def __init__(
        self, policy: PolicyBox, limiter: Limiter, rules: list[LimitRule], budget: ChainBudget
    ) -> None:
        self._policy = policy
        self._limiter = limiter
        self._rules = rules
        self._budget = budget

    async def __call__(
        self, flight: Flight, caller: Caller, resource: str, action: str, *, hidden: str = ""
    ) -> Grant:
        """Records what is asked for and what policy says to it. `hidden` is what a refused caller is told
        where it must not learn that the resource exists. Raises Forbidden, NotFound, Killed,
        Unapproved.
        """
        entry = flight.entry
        entry.resource, entry.action = resource, action
        entry.tags = read_tags(flight.exchange)
        flight.check()
        permit = await self.permit(flight, caller)
        decision = permit.policy.decide_chain(caller, resource, action, permit.facts)
        try:
            grant = granted(decision, caller, resource, action)
        except Forbidden as error:
            if not hidden:
                raise
            entry.decision, entry.rule, entry.epoch = "deny", decision.rule, decision.epoch
            raise NotFound(hidden, cause=error) from error
        flight.granted(grant)
        refuse_asking(grant)
        return grant

    async def permit(self, flight: Flight, caller: Caller) -> Permit:
        policy = self._policy.current
        facts: dict[str, Any] = {"tags": flight.entry.tags}
        if "taint" in policy.needs:
            # Asked for only where a rule reads it: it costs a round trip.
            facts["taint"] = (await self._limiter.state(caller.principal.tenant, caller.chain)).taint
        return Permit(policy, caller, facts)

    async def reserve(
        self,
        flight: Flight,
        grant: Grant,
        estimate: Estimate = _ONE,
        *,
        taint: Sequence[str] = (),
        model: str = "",
    ) -> Lease:
        """Raises LimitExceeded, BudgetExceeded, Unavailable."""
        caller, entry = grant.caller, flight.entry
        known: dict[str, str | tuple[str, ...]] = {**caller_facts(caller)}
        known |= {"route": grant.resource.removeprefix("route:"), "provider": entry.provider, "model": model}
        if entry.tags:
            known["tag"] = entry.tags
        return await self._limiter.reserve(
            plan(self._rules, known, estimate),
            tenant=caller.principal.tenant,
            chain=caller.chain,
            budget=caller.budget.narrowed(self._budget),
            taint=taint,
        )
