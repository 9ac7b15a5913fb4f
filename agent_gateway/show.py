"""Stage, for pages: an agent's card as callers see it. The directory is `registry/directory.py`."""

from agent_gateway.cards import Cards
from agent_gateway.catalog import Agent
from agent_gateway.public_card import Sign, public_card
from shared.asgi import Exchange


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

    async def __call__(self, exchange: Exchange, agent: Agent) -> None:
        """The card of `agent`. Raises UpstreamFault."""
        card = public_card(await self._cards.of(agent), self._url(agent), self._extensions, sign=self._sign)
        if card.unchanged(exchange.header("if-none-match")):
            await exchange.start(304, card.headers())
            await exchange.finish()
            return
        await exchange.reply(200, card.headers(), b"" if exchange.method == "HEAD" else card.body)

    def _url(self, agent: Agent) -> str:
        return f"{self._public_url}/agents/{agent.name}"
