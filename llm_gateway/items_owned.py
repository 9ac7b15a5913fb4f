"""Whose are the items that providers keep? What a caller has got from one it may name there again; to
everybody else there is no such item.
"""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec
from msgspec import Struct

from llm_gateway.responses_named import missing
from shared.errors import BadRequest
from shared.identity.principal import Caller
from shared.limits.keys import tenant_keys
from shared.redis_client import Redis, Script

# No answer has more, no conversation has more, no name is longer.
_MOST, _NAMED_MOST, _ID_MAX = 128, 4_096, 128
_KEEP = Script("for _, name in ipairs(KEYS) do redis.call('SET', name, ARGV[1], 'EX', ARGV[2]) end")


class _Mark(Struct, frozen=True, array_like=True):
    """Who has got the item, and from whom."""

    actors: tuple[str, ...]
    provider: str


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Mark).decode


class OwnedItems:
    def __init__(self, redis: Redis, ttl_seconds: int) -> None:
        self._redis = redis
        self._ttl = ttl_seconds

    def keep(self, caller: Caller, provider: str, ids: Sequence[str]) -> None:
        """Sent on its way and not waited for; what is sent to Redis after it comes later there, too."""
        keys = [_key(caller, id) for id in ids[:_MOST] if len(id) <= _ID_MAX]
        if keys:
            self._redis.post(_KEEP, keys, [_pack(_Mark(caller.actors, provider)), self._ttl])

    async def provider(self, caller: Caller, named: Sequence[tuple[int, str]]) -> str:
        """Who has the items of these names, told with their places in the input; empty for none. Raises
        NotFound, BadRequest, Unavailable.
        """
        if not named:
            return ""
        ids = list(dict.fromkeys(id for _, id in named))
        if len(ids) > _NAMED_MOST:
            raise _refused(f"names more than {_NAMED_MOST} items of a provider's")
        found = await self._redis.execute("MGET", *(_key(caller, id) for id in ids))
        marks = {id: _unpack(data) for id, data in zip(ids, found, strict=True) if data is not None}
        for place, id in named:
            mark = marks.get(id)
            if mark is None or mark.actors[: len(caller.actors)] != caller.actors:
                raise missing(place, id)
        providers = {mark.provider for mark in marks.values()}
        if len(providers) > 1:
            raise _refused("names items that different providers keep")
        return providers.pop()


def _refused(why: str) -> BadRequest:
    return BadRequest(f"input: {why}; send them instead", data={"param": "input"})


def _key(caller: Caller, id: str) -> str:
    hashed = blake2b(id.encode(errors="replace"), digest_size=20).hexdigest()
    return f"{tenant_keys(caller.principal.tenant).prefix}item:{hashed}"
