"""Whose task is it? Task and context ids belong to whoever caused them, learnt from agents' answers and
kept in Redis.

An id belongs to one agent, one tenant and one path of principals: `user:alice -> agent:planner` for what
planner started on alice's behalf. Alice and planner acting for alice may use it, in this chain or a later
one; so may whoever stands earlier on the path. Nobody else may, not even an agent that alice's chain
reached later or on another way: what was done for her elsewhere is not for it to read. A foreign id and
an unknown one get one and the same answer.
"""

import asyncio
import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from agent_gateway.bindings.params import ID_LENGTH
from agent_gateway.call import Names
from agent_gateway.seen import Seen
from shared.clock import Clock
from shared.dialects import a2a
from shared.errors import NotFound, UpstreamBroken
from shared.identity.principal import Caller
from shared.limits.keys import encoded, tenant_keys
from shared.redis_client import Redis


class Owner(Struct, frozen=True, array_like=True):
    """Who caused a task or a context, from the origin on; of a task also its context."""

    actors: tuple[str, ...]
    context: str = ""

    def admits(self, caller: Caller) -> bool:
        return self.actors[: len(caller.actors)] == caller.actors


_OWNER = msgspec.json.Decoder(Owner)
# How many tasks are listed for one path of principals; those that were seen last stay.
_LISTED = 10_000


class Tasks:
    """`seconds` is how long an id is remembered after it was last used."""

    def __init__(self, redis: Redis, seconds: int, clock: Clock | None = None) -> None:
        self._redis = redis
        self._clock = clock or Clock()
        self._seconds = seconds

    async def check(self, agent: str, caller: Caller, names: Names) -> None:
        """Raises NotFound (-32001) unless every id in `names` is the caller's, at this agent."""
        tasks = [task for task in (names.task, *names.references) if task]
        keys = [_key(caller, agent, "task", task) for task in tasks]
        if names.context:
            keys.append(_key(caller, agent, "context", names.context))
        owners = await self._owners(keys)
        if not all(owner is not None and owner.admits(caller) for owner in owners):
            raise NotFound("there is no such task", code=a2a.TASK_NOT_FOUND)
        first = owners[0] if names.task and names.context else None
        if first is not None and first.context and first.context != names.context:
            raise NotFound("there is no such task", code=a2a.TASK_NOT_FOUND)

    async def learn(self, agent: str, caller: Caller, seen: Seen) -> None:
        """Notes that what an agent has just shown `caller` is the caller's.

        Raises UpstreamBroken when it is another's already: an agent does not give one principal's task to
        the next.
        """
        claims = []
        if seen.task and len(seen.task) <= ID_LENGTH:
            owner = Owner(caller.actors, seen.context)
            claims.append(self._claim(_key(caller, agent, "task", seen.task), owner, caller))
            claims.append(self._list(caller, agent, seen.task))
        if seen.context and len(seen.context) <= ID_LENGTH:
            key = _key(caller, agent, "context", seen.context)
            claims.append(self._claim(key, Owner(caller.actors), caller))
        if not all(await asyncio.gather(*claims)):
            raise UpstreamBroken("the agent answered with a task that is not this caller's")

    async def listed(self, agent: str, caller: Caller) -> list[tuple[str, str]]:
        """The caller's tasks at this agent and their contexts, the one that was seen last first."""
        key = _list_key(caller, agent, caller.actors)
        await self._redis.execute("ZREMRANGEBYSCORE", key, "-inf", int(self._clock.now() - self._seconds))
        found = [bytes(name).decode() for name in await self._redis.execute("ZREVRANGE", key, 0, -1)]
        owners = await self._owners([_key(caller, agent, "task", task) for task in found], touch=False)
        return [
            (task, owner.context)
            for task, owner in zip(found, owners, strict=True)
            if owner is not None and owner.admits(caller)
        ]

    async def _list(self, caller: Caller, agent: str, task: str) -> bool:
        """Puts a task on the list of everybody whom its owner would admit."""
        now = int(self._clock.now())
        for depth in range(len(caller.actors)):
            key = _list_key(caller, agent, caller.actors[: depth + 1])
            await asyncio.gather(
                self._redis.execute("ZADD", key, now, task),
                self._redis.execute("ZREMRANGEBYRANK", key, 0, -_LISTED - 1),
                self._redis.execute("EXPIRE", key, self._seconds),
            )
        return True

    async def _claim(self, key: str, owner: Owner, caller: Caller) -> bool:
        value = msgspec.json.encode(owner)
        if await self._redis.execute("SET", key, value, "NX", "EX", self._seconds) is not None:
            return True
        [held] = await self._owners([key])
        return held is None or held.admits(caller)

    async def _owners(self, keys: Sequence[str], *, touch: bool = True) -> list[Owner | None]:
        """The owners, each remembered for another while because it has just been asked for."""
        how: tuple[str | int, ...] = ("EX", self._seconds) if touch else ()
        found = await asyncio.gather(*(self._redis.execute("GETEX", key, *how) for key in keys))
        return [None if value is None else _OWNER.decode(value) for value in found]


def _key(caller: Caller, agent: str, kind: str, name: str) -> str:
    return f"{tenant_keys(caller.principal.tenant).prefix}a2a:{agent}:{kind}:{encoded(name)}"


def _list_key(caller: Caller, agent: str, actors: tuple[str, ...]) -> str:
    """Of a path of principals, whose names may hold any character."""
    path = hashlib.sha256(msgspec.json.encode(actors)).hexdigest()[:32]
    return _key(caller, agent, "tasks", path)
