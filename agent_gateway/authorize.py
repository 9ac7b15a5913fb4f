"""Stage: asks policy, for every principal of the chain, whether this may be done with this agent."""

from typing import Any

from agent_gateway.read import Ask
from agent_gateway.registry.skills import denied, resource_of
from agent_gateway.trust import Trust
from shared.account import Flight
from shared.errors import NotFound
from shared.identity.principal import Caller
from shared.limits.limiter import Limiter
from shared.policy import Decision, Grant, Policy, PolicyBox
from shared.policy import authorize as ask_policy
from shared.policy.grant import granted

# Whoever may use an agent or read its tasks may see its card.
_SEEING = ("read", "invoke")
# The agent's own card says where it is, as the operators' list does. Rules about `agent:` do not open it:
# they often allow every action.
_ORIGINAL, _READ = "admin:agents/", "read"


class Authorize:
    def __init__(self, policy: PolicyBox, limiter: Limiter, trust: Trust) -> None:
        self._policy = policy
        self._limiter = limiter
        self._trust = trust

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
        grant = _asked(policy, ask, caller, entry.action, facts)
        entry.resource = grant.resource
        flight.granted(grant)
        if ask.agent is None:
            raise NotFound(f"no agent is called {ask.name} here")
        self._trust.check(ask.agent, caller)
        if ask.original:
            entry.resource, entry.action = _ORIGINAL + ask.name, _READ
            grant = ask_policy(policy, caller, entry.resource, _READ, facts)
            flight.granted(grant)
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


def _asked(policy: Policy, ask: Ask, caller: Caller, action: str, facts: dict[str, Any]) -> Grant:
    """The grant for the agent, or for the one skill of it that the call names. Raises Forbidden.

    Who may use an agent may use every skill of it that no rule denies; who may use a skill only, must name
    it.
    """
    skill = ask.call.names.skill if ask.call is not None else ""
    whole = policy.decide_chain(caller, ask.resource, action, facts)
    if not skill or denied(whole):
        return granted(whole, caller, ask.resource, action)
    resource = resource_of(ask.name, skill)
    part = policy.decide_chain(caller, resource, action, facts)
    if part.allowed or denied(part):
        return granted(part, caller, resource, action)
    return granted(whole, caller, ask.resource, action)


def _action(policy: Policy, ask: Ask, caller: Caller) -> str:
    """What policy is asked; for a card, the one of two actions that may be allowed."""
    if ask.call is not None:
        return ask.call.method.action
    if not ask.name:
        return "list"
    return next((act for act in _SEEING if policy.possible(caller, ask.resource, act)), _SEEING[0])
