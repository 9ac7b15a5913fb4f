"""Looks at the cards of agents that are held to one, whether anybody calls them or not."""

import asyncio
import contextlib

from agent_gateway.cards import Cards
from agent_gateway.catalog import Agent, Catalog
from agent_gateway.trust import Trust
from shared.errors import GatestackError

_AT_ONCE = 8


class Watch:
    """`seconds` between two rounds; how old a card may get is the business of `Cards`."""

    def __init__(self, catalog: Catalog, cards: Cards, trust: Trust, *, seconds: float) -> None:
        self._catalog = catalog
        self._cards = cards
        self._trust = trust
        self._seconds = seconds

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self._seconds)

    async def look(self) -> None:
        """One round. An agent that cannot be reached has not drifted."""
        some = asyncio.Semaphore(_AT_ONCE)

        async def one(agent: Agent) -> None:
            async with some:
                # What is wrong with a card has been noted when it was judged.
                with contextlib.suppress(GatestackError):
                    await self._cards.of(agent)

        held = [agent for agent in self._catalog if agent.pin or agent.keys]
        await asyncio.gather(*(one(agent) for agent in held))
