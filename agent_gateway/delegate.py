"""Stage: the chain grows by the agent that is about to be called, or the call is refused (a cycle, the
depth cap).
"""

from agent_gateway.cards import Cards
from agent_gateway.catalog import Agent, Catalog, Endpoint
from shared.errors import DelegationRefused
from shared.identity.principal import Caller


class Delegate:
    def __init__(self, catalog: Catalog, cards: Cards, *, max_depth: int) -> None:
        self._catalog = catalog
        self._cards = cards
        self._max_depth = max_depth

    async def __call__(self, caller: Caller, agent: Agent, endpoint: Endpoint) -> Caller:
        """`caller` as the agent will act for it. Raises DelegationRefused, and UpstreamFault where it
        cannot be told whether the agent is one of the chain under another name.
        """
        onward = caller.through(agent.principal, max_depth=self._max_depth)
        for actor in caller.actors:
            other = self._catalog.acting(actor)
            if other is not None and (await self._cards.endpoint(other)).identity == endpoint.identity:
                raise DelegationRefused(
                    f"{agent.principal} is {actor} under another name, which is already part of this chain: "
                    + " -> ".join(caller.actors)
                )
        return onward
