"""Stage: asks policy, for every principal of the chain, whether this may be done with this agent."""

from typing import Any

from agent_gateway.read import Ask
from shared.account import Flight
from shared.errors import NotFound
from shared.identity.principal import Caller
from shared.limits.limiter import Limiter
from shared.policy import Decision, Grant, Policy, PolicyBox
from shared.policy import authorize as ask_policy

# Whoever may use an agent or read its tasks may see its card.
_SEEING = ("read", "invoke")


class Authorize:
    def __init__(self, policy: PolicyBox, limiter: Limiter) -> None:
        self._policy = policy
        self._limiter = limiter

    async def __call__(self, ask: Ask, caller: Caller, flight: Flight) -> Grant:
        """Raises Forbidden, and NotFound only for callers who may use an agent of that name if there were
        one.
        """
        policy, entry = self._policy.current, flight.entry
        entry.resource, entry.action = ask.resource, _action(policy, ask, caller)
        if not ask.name:
            # Everybody who is known may ask: what is listed is decided agent by agent.
            allowed = Decision(True, "", policy.epoch, caller.actor, "a list")
            return Grant(caller, entry.resource, entry.action, allowed)
        facts = await self._facts(policy, ask, caller)
        grant = ask_policy(policy, caller, entry.resource, entry.action, facts)
        flight.granted(grant)
        if ask.agent is None:
            raise NotFound(f"no agent is called {ask.name} here")
        flight.check()
        return grant

    async def _facts(self, policy: Policy, ask: Ask, caller: Caller) -> dict[str, Any]:
        agent, call = ask.agent, ask.call
        facts: dict[str, Any] = {"agent": ask.name, "labels": agent.labels if agent is not None else ()}
        if call is not None:
            facts["skill"], facts["method"] = call.names.skill, call.method.name
        if "taint" in policy.needs:
            state = await self._limiter.state(caller.principal.tenant, caller.chain)
            facts["taint"] = state.taint
        return facts


def _action(policy: Policy, ask: Ask, caller: Caller) -> str:
    """What policy is asked; for a card, the one of two actions that may be allowed."""
    if ask.call is not None:
        return ask.call.method.action
    if not ask.name:
        return "list"
    return next((act for act in _SEEING if policy.possible(caller, ask.resource, act)), _SEEING[0])
