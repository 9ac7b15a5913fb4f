"""What was said in a conversation, so that an endpoint without a memory can be told again: in Redis, of
bounded length, and readable only for those whose conversation it is.
"""

from itertools import takewhile

import msgspec
from msgspec import Struct

from agent_gateway.tasks import Owner
from shared.dialects import a2a
from shared.errors import NotFound
from shared.identity.principal import Caller
from shared.redis_client import Redis

_OWNER = msgspec.json.Decoder(Owner)


class Turn(Struct, frozen=True, array_like=True):
    role: str
    content: str


_TURN = msgspec.json.Decoder(Turn)


class Memory:
    """`seconds` is how long a conversation is remembered after it last went on."""

    def __init__(self, redis: Redis, *, seconds: int) -> None:
        self._redis = redis
        self._seconds = seconds

    async def turns(self, agent: str, caller: Caller, context: str, *, most: int, size: int) -> list[Turn]:
        """The last of what was said, at most `most` messages and `size` bytes. Raises NotFound for a
        conversation that is not the caller's.
        """
        owner = await self._redis.execute("GET", _key(agent, caller, context, "owner"))
        if owner is None or most == 0:
            return []
        if not _OWNER.decode(owner).admits(caller):
            raise NotFound("there is no such task", code=a2a.TASK_NOT_FOUND)
        kept: list[Turn] = []
        for raw in await self._redis.execute("LRANGE", _key(agent, caller, context, "turns"), 0, most - 1):
            size -= len(raw)
            if size < 0:
                break
            kept.append(_TURN.decode(raw))
        return kept[::-1]

    async def keep(
        self, agent: str, caller: Caller, context: str, turns: list[Turn], *, most: int, size: int
    ) -> None:
        """Adds what has been said now. What is older than `most` messages is forgotten, and so is what stands
        before one of more than `size` bytes: nobody would be told of it again.
        """
        if most == 0:
            return
        raws = [msgspec.json.encode(turn) for turn in turns]
        kept = list(takewhile(lambda raw: len(raw) <= size, reversed(raws)))[::-1]
        owner, said = (_key(agent, caller, context, kind) for kind in ("owner", "turns"))
        await self._redis.execute(
            "SET", owner, msgspec.json.encode(Owner(caller.actors)), "NX", "EX", self._seconds
        )
        await self._redis.execute("EXPIRE", owner, self._seconds)
        if len(kept) < len(raws):
            await self._redis.execute("DEL", said)
        if not kept:
            return
        await self._redis.execute("LPUSH", said, *kept)
        await self._redis.execute("LTRIM", said, 0, most - 1)
        await self._redis.execute("EXPIRE", said, self._seconds)


def _key(agent: str, caller: Caller, context: str, kind: str) -> str:
    return f"gs:{{{caller.principal.tenant}}}:a2a:{agent}:bridge:{kind}:{context}"
