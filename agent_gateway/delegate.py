"""Stage: the chain grows by the agent that is about to be called, with no more than that agent is to have, or
the call is refused (a cycle, the depth cap, no time left).
"""

from agent_gateway.cards import Cards
from agent_gateway.catalog import Agent, Catalog, Endpoint
from shared.clock import Clock
from shared.errors import DelegationRefused
from shared.identity.narrow import narrowed
from shared.identity.principal import Caller
from shared.limits.branch import share_of
from shared.limits.limiter import Limiter


class Delegate:
    def __init__(
        self, catalog: Catalog, cards: Cards, *, max_depth: int, limiter: Limiter, clock: Clock
    ) -> None:
        self._catalog = catalog
        self._cards = cards
        self._max_depth = max_depth
        self._limiter = limiter
        self._clock = clock

    async def __call__(self, caller: Caller, agent: Agent, endpoint: Endpoint) -> Caller:
        """`caller` as the agent will act for it. Raises DelegationRefused, and UpstreamFault where it
        cannot be told whether the agent is one of the chain under another name.
        """
        onward = caller.through(agent.principal, max_depth=self._max_depth)
        reached = {endpoint.identity, *(replica.identity for replica in agent.endpoints())}
        for actor in caller.actors:
            other = self._catalog.acting(actor)
            if other is not None and not reached.isdisjoint(await self._identities(other)):
                raise DelegationRefused(
                    f"{agent.principal} is {actor} under another name, which is already part of this chain: "
                    + " -> ".join(caller.actors)
                )
        return await self._narrowed(onward, agent)

    async def _identities(self, other: Agent) -> set[object]:
        replicas = other.endpoints() or (await self._cards.endpoint(other),)
        return {replica.identity for replica in replicas}

    async def _narrowed(self, onward: Caller, agent: Agent) -> Caller:
        """With what the agent's configuration leaves of it."""
        wanted, now = agent.delegation, self._clock.now_us()
        share = ""
        if wanted.budget_share is not None:
            state = await self._limiter.state(onward.principal.tenant, onward.chain)
            share = share_of(state.remaining(onward.budget, now), wanted.budget_share)
        if not wanted.scope and not wanted.seconds and not share:
            return onward
        until = now // 1_000_000 + wanted.seconds if wanted.seconds else 0
        return narrowed(onward, scope=wanted.scope, until=until, share=share)
