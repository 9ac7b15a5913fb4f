"""Whether an agent may be used as it is: its state, and whether its card is the one that was approved.

A card that is not brings its agent into quarantine, in every process, until somebody approves it. What was
noticed is kept in Redis; who approves is told by the control plane's `agents` snapshot.
"""

import asyncio
from typing import Any

import msgspec

from agent_gateway.catalog import FIRST_USE, Agent
from shared.agents import DRIFT, Drift
from shared.card_trust import Card, Trusted, changes, trusted
from shared.clock import Clock
from shared.errors import Forbidden, NotFound, Unavailable, UpstreamBroken
from shared.identity.principal import Caller
from shared.redis_client import Redis, RedisError

_FIRST = "gs:agents:first"
_POLL_SECONDS = 1.0
_DRIFT = msgspec.json.Decoder(Drift)


class Trust:
    """`run` keeps up with what other processes have noticed."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._drifts: dict[str, Drift] = {}
        self._noted = 0

    def check(self, agent: Agent, caller: Caller) -> None:
        """Raises NotFound where the agent is not this caller's to know, Forbidden while nobody may use it."""
        if agent.serves and agent.serves != caller.principal.tenant:
            raise NotFound(f"no agent is called {agent.name} here")
        if agent.state != "active":
            why = f": {agent.reason}" if agent.reason else ""
            raise Forbidden(f"{agent.name} is {agent.state}{why}")
        if self.drift(agent) is not None:
            raise _quarantined(agent)

    def drift(self, agent: Agent) -> Drift | None:
        """What keeps the agent in quarantine; nothing once that very card is approved. No approval stands in
        for a signature.
        """
        found = self._drifts.get(agent.name)
        if found is None or (found.pin == agent.pin and (found.signed or not agent.keys)):
            return None
        return found

    async def accept(self, agent: Agent, card: Card) -> Card:
        """As much of a freshly fetched card as may be relied upon. Raises Forbidden, and notes why, when it
        is not the agent's approved card; UpstreamBroken where it is nothing that could be judged.
        """
        if not agent.keys and not agent.pin:
            return card
        try:
            judged = trusted(card, agent.keys)
        except ValueError as error:
            raise UpstreamBroken(f"the agent's card cannot be judged: {error}") from error
        before = await self._approved(agent, judged)
        why = ""
        if agent.keys and not judged.signed:
            why = "none of the keys that may sign this agent's card has signed it"
        elif before is not None and before.pin != judged.pin:
            why = "the card is not the one that was approved"
        if why:
            await self._note(agent, judged, before.content if before is not None else agent.card, why)
            raise _quarantined(agent)
        return judged.content

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_POLL_SECONDS)

    async def look(self) -> None:
        """Takes over what any process has noticed, and what has been approved since."""
        before = -1
        # What was noted here while the answer was on its way is not in it.
        while before != self._noted:
            before = self._noted
            try:
                flat = await self._redis.execute("HGETALL", DRIFT)
            except (Unavailable, RedisError):
                return
        self._drifts = {flat[at].decode(): _DRIFT.decode(flat[at + 1]) for at in range(0, len(flat), 2)}

    async def _approved(self, agent: Agent, judged: Trusted) -> Trusted | None:
        """The card that this one must equal; None where its signature alone decides."""
        if agent.pin == FIRST_USE:
            field = f"{agent.serves}/{agent.name}"
            value = msgspec.json.encode(judged)
            if await self._redis.execute("HSETNX", _FIRST, field, value):
                return judged
            return msgspec.json.decode(await self._redis.execute("HGET", _FIRST, field), type=Trusted)
        return Trusted(dict(agent.card), "", agent.pin) if agent.pin else None

    async def _note(self, agent: Agent, judged: Trusted, before: dict[str, Any], why: str) -> None:
        found = Drift(
            judged.pin,
            judged.content,
            changes(before, judged.content) if before else [],
            why,
            self._clock.now_us(),
            judged.signed,
        )
        held = self._drifts.get(agent.name)
        self._drifts[agent.name] = found
        self._noted += 1
        if held is None or held.pin != found.pin:
            await self._redis.execute("HSET", DRIFT, agent.name, msgspec.json.encode(found))


def _quarantined(agent: Agent) -> Forbidden:
    return Forbidden(
        f"{agent.name} is quarantined: its card is not the one that was approved. An operator can look at "
        f"what has changed, and approve it, with `gatestack catalog agents approve {agent.name}`"
    )
