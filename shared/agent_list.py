"""Which agents there are, for the gateways beside agent_gateway: it writes the list into Redis, they read it
to show agents as models and as tools. Whether one may be used is policy's business, and asked again there.
"""

import asyncio
import contextlib
from collections.abc import Callable

import msgspec
from msgspec import Struct

from shared.errors import Unavailable
from shared.identity.principal import Caller
from shared.policy import Policy
from shared.redis_client import Redis, RedisError

PREFIX = "agent:"
_KEY = "gs:agents:known"
_POLL_SECONDS = 1.0
_ACTIONS = ("invoke", "list")


class Listed(Struct, frozen=True, kw_only=True):
    """An agent in service. `serves` is the one tenant that may use it, "" for all; `labels` are facts for
    policy.
    """

    name: str
    serves: str = ""
    title: str = ""
    description: str = ""
    labels: tuple[str, ...] = ()

    def visible(self, policy: Policy, caller: Caller) -> bool:
        """Whether a list may show this agent to whoever might use it."""
        if self.serves not in ("", caller.principal.tenant):
            return False
        facts = {"agent": self.name, "labels": self.labels}
        return any(policy.possible(caller, PREFIX + self.name, action, facts) for action in _ACTIONS)


_LIST = msgspec.json.Decoder(list[Listed])


async def publish(redis: Redis, agents: list[Listed]) -> None:
    """Raises Unavailable, RedisError."""
    await redis.execute("SET", _KEY, msgspec.json.encode(agents))


class AgentList:
    """The list as it was last read; `run` keeps it up to date, and tells `changed` when it has."""

    def __init__(self, redis: Redis) -> None:
        self.changed: list[Callable[[], None]] = []
        self._redis = redis
        self._agents: dict[str, Listed] = {}

    def find(self, name: str) -> Listed | None:
        return self._agents.get(name)

    def all(self) -> list[Listed]:
        return list(self._agents.values())

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_POLL_SECONDS)

    async def look(self) -> None:
        """Reads the list; without Redis the last one stays."""
        with contextlib.suppress(Unavailable, RedisError, msgspec.DecodeError):
            found = await self._redis.execute("GET", _KEY)
            agents = {each.name: each for each in _LIST.decode(found or b"[]")}
            if agents != self._agents:
                self._agents = agents
                for tell in self.changed:
                    tell()
