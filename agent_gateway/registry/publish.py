"""Tells the other gateways which agents are in service, so that they can show them as models and as tools."""

import asyncio
import contextlib
from typing import Any

from agent_gateway.cards import Cards
from agent_gateway.catalog import Agent, Catalog
from agent_gateway.trust import Trust
from shared.agent_list import Listed, publish
from shared.errors import Unavailable
from shared.redis_client import Redis, RedisError

_SECONDS = 1.0
_LONGEST = 1_000


class Publish:
    """Says anew what has changed. Nobody is asked for a card: what is not known yet is left out."""

    def __init__(self, redis: Redis, catalog: Catalog, cards: Cards, trust: Trust) -> None:
        self._redis = redis
        self._catalog = catalog
        self._cards = cards
        self._trust = trust

    async def run(self) -> None:
        while True:
            with contextlib.suppress(Unavailable, RedisError):
                await self.look()
            await asyncio.sleep(_SECONDS)

    async def look(self) -> None:
        """Raises Unavailable, RedisError."""
        served = [agent for agent in self._catalog if self._in_service(agent)]
        await publish(self._redis, [_listed(agent, self._card(agent)) for agent in served])

    def _in_service(self, agent: Agent) -> bool:
        return agent.state == "active" and self._trust.drift(agent) is None

    def _card(self, agent: Agent) -> dict[str, Any]:
        known = self._cards.known(agent)
        return known.content if known is not None else dict(agent.card)


def _listed(agent: Agent, card: dict[str, Any]) -> Listed:
    title, description = card.get("name"), card.get("description")
    return Listed(
        name=agent.name,
        serves=agent.serves,
        title=title[:_LONGEST] if isinstance(title, str) else "",
        description=description[:_LONGEST] if isinstance(description, str) else "",
        labels=agent.labels,
    )
