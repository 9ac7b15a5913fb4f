"""Which of an agent's addresses a call goes to: where its task is, where its conversation is, or the one with
the least to do; and another agent while none of them answers.
"""

import contextlib
import random
from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from agent_gateway.call import Names
from agent_gateway.cards import Cards
from agent_gateway.catalog import Agent, Catalog, Endpoint
from agent_gateway.seen import Seen
from shared.clock import Clock
from shared.errors import UpstreamFault, UpstreamTimeout, UpstreamUnreachable
from shared.identity.principal import Caller
from shared.limits.keys import encoded, tenant_keys
from shared.redis_client import Redis

_DOWN_SECONDS = 10.0


class Place(Struct, frozen=True, kw_only=True):
    """Where a call goes. `agent` is who acts there: the one that was asked, or its fallback. `asked` is the
    name under which tasks are remembered.
    """

    asked: str
    agent: Agent
    endpoint: Endpoint

    @property
    def name(self) -> str:
        """This address among all, as it is remembered: the order in a configuration may change."""
        return f"{self.agent.name} {self.endpoint.url}"


class Replicas:
    """`seconds` is how long the place of a task or a context is remembered after it was last used."""

    def __init__(self, redis: Redis, clock: Clock, catalog: Catalog, cards: Cards, *, seconds: int) -> None:
        self._redis = redis
        self._clock = clock
        self._catalog = catalog
        self._cards = cards
        self._seconds = seconds
        self._busy: Counter[str] = Counter()
        self._down_until: dict[str, float] = {}

    async def choose(self, agent: Agent, caller: Caller, names: Names) -> Place:
        """Raises UpstreamFault where only the agent's card knows its address, and cannot be had."""
        places = await self.places(agent)
        if len(places) == 1:
            return places[0]
        known = await self._remembered(agent, caller, names)
        for place in places:
            if place.name == known:
                # Its task is there and nowhere else: better an error than a stranger's answer.
                return place
        own = [place for place in places if place.agent is agent]
        up = [place for place in own if self.up(place)]
        if not up:
            up = [place for place in places if place.agent is not agent and self.up(place)] or own
        return min(up, key=self._load)

    async def places(self, agent: Agent) -> list[Place]:
        """Every address of the agent, its fallback's last."""
        found = [Place(asked=agent.name, agent=agent, endpoint=each) for each in await self._endpoints(agent)]
        other = self._catalog.find(agent.fallback) if agent.fallback else None
        if other is not None:
            with contextlib.suppress(UpstreamFault):
                found += [
                    Place(asked=agent.name, agent=other, endpoint=each)
                    for each in await self._endpoints(other)
                ]
        return found

    async def learn(self, place: Place, caller: Caller, seen: Seen) -> None:
        """Notes where the task and the context of an answer are. Costs nothing where there is no choice."""
        agent = self._catalog.find(place.asked)
        if agent is None or (len(agent.replicas) < 2 and not agent.fallback):
            return
        for kind, name in (("task", seen.task), ("context", seen.context)):
            if name:
                key = _key(caller, place.asked, kind, name)
                await self._redis.execute("SET", key, place.name, "EX", self._seconds)

    @contextlib.contextmanager
    def using(self, place: Place) -> Iterator[None]:
        """Counts a call while it runs, and notices an address that does not answer."""
        self._busy[place.name] += 1
        try:
            yield
        except (UpstreamUnreachable, UpstreamTimeout):
            self.failed(place)
            raise
        finally:
            self._busy[place.name] -= 1

    def up(self, place: Place) -> bool:
        return self._down_until.get(place.name, 0.0) <= self._clock.monotonic()

    def failed(self, place: Place) -> None:
        """Left alone for a while."""
        self._down_until[place.name] = self._clock.monotonic() + _DOWN_SECONDS

    def answered(self, place: Place) -> None:
        self._down_until.pop(place.name, None)

    async def _endpoints(self, agent: Agent) -> tuple[Endpoint, ...]:
        return agent.endpoints() or (await self._cards.endpoint(agent),)

    async def _remembered(self, agent: Agent, caller: Caller, names: Names) -> str:
        asked = (("task", names.task), *(("task", each) for each in names.references))
        for kind, name in (*asked, ("context", names.context)):
            if name:
                found = await self._redis.execute(
                    "GETEX", _key(caller, agent.name, kind, name), "EX", self._seconds
                )
                if found is not None:
                    return bytes(found).decode()
        return ""

    def _load(self, place: Place) -> tuple[float, float]:
        """What decides between addresses: calls under way for its weight, then chance by weight."""
        weights = {replica.url: replica.weight for replica in place.agent.replicas}
        weight = weights.get(place.endpoint.url, 1)
        chance = random.random()  # noqa: S311  nobody gains by guessing it
        return self._busy[place.name] / weight, -(chance ** (1 / weight))


def _key(caller: Caller, agent: str, kind: str, name: str) -> str:
    return f"{tenant_keys(caller.principal.tenant).prefix}a2a:{agent}:at:{kind}:{encoded(name)}"
