"""GetExtendedAgentCard: the agent's own, rewritten and signed like the public one, with the skills that this
caller may use.
"""

from typing import Any

import msgspec
from msgspec import Raw

from agent_gateway.bindings import Answer
from agent_gateway.bindings.earlier import card as earlier_card
from agent_gateway.call import Call
from agent_gateway.cards import Cards
from agent_gateway.catalog import Agent
from agent_gateway.public_card import Sign, rewritten
from agent_gateway.registry.skills import usable
from agent_gateway.route import Target
from agent_gateway.upstream import Upstream
from shared.account import Flight
from shared.asgi import Exchange
from shared.dialects import a2a
from shared.errors import BadRequest, UpstreamBroken
from shared.identity.principal import Caller
from shared.policy import PolicyBox


class ExtendedCard:
    def __init__(
        self,
        cards: Cards,
        upstream: Upstream,
        policy: PolicyBox,
        sign: Sign,
        *,
        public_url: str,
        extensions: frozenset[str],
    ) -> None:
        self._cards = cards
        self._upstream = upstream
        self._policy = policy
        self._sign = sign
        self._public_url = public_url.rstrip("/")
        self._extensions = extensions

    async def __call__(
        self, exchange: Exchange, flight: Flight, caller: Caller, call: Call, target: Target
    ) -> Answer:
        """Raises BadRequest (-32007) for an agent that has none."""
        agent = target.agent
        public = earlier_card.raised((await self._cards.of(agent)).content)
        if (public.get("capabilities") or {}).get("extendedAgentCard") is not True:
            raise BadRequest(f"{agent.name} has no extended card", code=a2a.EXTENDED_CARD_NOT_CONFIGURED)
        answer = await self._upstream.ask(call, target, flight)
        if answer.failure is not None:
            return answer
        given = msgspec.json.decode(answer.result)
        if not isinstance(given, dict) or not isinstance(given.get("name"), str):
            raise UpstreamBroken("what the agent serves as its extended card is none")
        url = f"{self._public_url}/agents/{agent.name}"
        card = rewritten(given, url, self._extensions, self._skills(given, agent, caller))
        return Answer(result=Raw(msgspec.json.encode(self._sign(card))))

    def _skills(self, card: dict[str, Any], agent: Agent, caller: Caller) -> frozenset[str]:
        listed = earlier_card.raised(card).get("skills")
        ids = [skill.get("id") for skill in listed if isinstance(skill, dict)] if listed else []
        policy = self._policy.current
        return frozenset(
            skill for skill in ids if isinstance(skill, str) and usable(policy, caller, agent, skill)
        )
