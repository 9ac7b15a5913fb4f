"""Stage, for pages: an agent's card as callers see it, or as the agent itself published it. The directory is
`registry/directory.py`.
"""

from agent_gateway.cards import Cards
from agent_gateway.catalog import Agent
from agent_gateway.public_card import Sign, public_card
from agent_gateway.served_card import ServedCard, etag_of
from shared.asgi import Exchange
from shared.errors import NotFound


class Show:
    def __init__(
        self,
        cards: Cards,
        sign: Sign,
        *,
        public_url: str,
        extensions: frozenset[str],
    ) -> None:
        self._cards = cards
        self._sign = sign
        self._public_url = public_url.rstrip("/")
        self._extensions = extensions

    async def __call__(self, exchange: Exchange, agent: Agent, *, original: bool) -> None:
        """The card of `agent`, or its `original`. Raises UpstreamFault, and NotFound for an original that
        there never was.
        """
        card = await (self._original(agent) if original else self._public(agent))
        await card.reply(exchange)

    async def _public(self, agent: Agent) -> ServedCard:
        url = f"{self._public_url}/agents/{agent.name}"
        return public_card(await self._cards.of(agent), url, self._extensions, sign=self._sign)

    async def _original(self, agent: Agent) -> ServedCard:
        original = (await self._cards.of(agent)).original
        if original is None:
            raise NotFound(f"{agent.name} has no card of its own: what it shows is made here")
        return ServedCard(original.body, etag_of(original.body), original.since)
