"""Stage, for pages: an agent's card as the caller may see it, and the directory of agents that it may use."""

import msgspec

from agent_gateway.cards import Cards
from agent_gateway.catalog import Agent, Catalog
from agent_gateway.public_card import public_card
from shared.asgi import Exchange
from shared.identity.principal import Caller
from shared.policy import PolicyBox

_LIST_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"private, no-store")]


class Show:
    def __init__(
        self,
        catalog: Catalog,
        cards: Cards,
        policy: PolicyBox,
        *,
        public_url: str,
        extensions: frozenset[str],
    ) -> None:
        self._catalog = catalog
        self._cards = cards
        self._policy = policy
        self._public_url = public_url.rstrip("/")
        self._extensions = extensions

    async def __call__(self, exchange: Exchange, caller: Caller, agent: Agent | None) -> None:
        """The card of `agent`, or the directory where that is None. Raises UpstreamFault."""
        if agent is None:
            await exchange.reply(200, _LIST_HEADERS, _body(exchange, self._directory(caller)))
            return
        card = public_card(await self._cards.of(agent), self._url(agent), self._extensions)
        if card.unchanged(exchange.header("if-none-match")):
            await exchange.start(304, card.headers())
            await exchange.finish()
            return
        await exchange.reply(200, card.headers(), _body(exchange, card.body))

    def _directory(self, caller: Caller) -> bytes:
        listed = [
            {
                "name": agent.name,
                "url": self._url(agent),
                "card": f"{self._url(agent)}/.well-known/agent-card.json",
            }
            for agent in self._catalog
            if self._visible(caller, agent)
        ]
        return msgspec.json.encode({"agents": listed})

    def _visible(self, caller: Caller, agent: Agent) -> bool:
        facts = {"agent": agent.name, "labels": agent.labels}
        policy = self._policy.current
        return any(policy.possible(caller, agent.principal, act, facts) for act in ("read", "invoke"))

    def _url(self, agent: Agent) -> str:
        return f"{self._public_url}/agents/{agent.name}"


def _body(exchange: Exchange, body: bytes) -> bytes:
    return b"" if exchange.method == "HEAD" else body
