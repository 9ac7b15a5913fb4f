"""Prompts and replies that were kept: where they stand in Redis, how they are read and how they are erased.

Not for deciding what is kept (`llm_gateway/transcripts`) or who may read it (the admin API).
"""

from shared.identity.principal import Caller
from shared.limits.keys import encoded, tenant_keys
from shared.redis_client import Redis, Script

_AT_ONCE = 500
# Each principal of the chain has a list of what there is about it: that is what an erasure goes by.
_KEEP = Script(
    """
local now, seconds = tonumber(redis.call('TIME')[1]), tonumber(ARGV[2])
redis.call('SET', KEYS[1], ARGV[1], 'EX', seconds)
for n = 2, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[n], '-inf', now)
  redis.call('ZADD', KEYS[n], now + seconds, ARGV[3])
  if redis.call('TTL', KEYS[n]) < seconds then redis.call('EXPIRE', KEYS[n], seconds) end
end
"""
)


class Transcripts:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def keep(self, caller: Caller, entry: str, content: bytes, seconds: int) -> None:
        """Sent on its way and not waited for: the caller's last byte is. It is gone after `seconds`."""
        tenant = caller.principal.tenant
        lists = [_list(tenant, principal) for principal in dict.fromkeys(caller.actors)]
        self._redis.post(_KEEP, [_name(tenant, entry), *lists], [content, seconds, entry])

    async def read(self, tenant: str, entry: str) -> bytes | None:
        """What was kept of an entry. Raises Unavailable."""
        found: bytes | None = await self._redis.execute("GET", _name(tenant, entry))
        return found

    async def erase(self, tenant: str, entry: str) -> bool:
        """Whether there was anything. Raises Unavailable."""
        return bool(await self._redis.execute("UNLINK", _name(tenant, entry)))

    async def erase_all(self, tenant: str, principal: str) -> int:
        """Erases every transcript of a chain that `principal` has acted in; how many. Raises Unavailable."""
        index, count = _list(tenant, principal), 0
        while ids := await self._redis.execute("ZRANGE", index, 0, _AT_ONCE - 1):
            count += await self._redis.execute("UNLINK", *(_name(tenant, id.decode()) for id in ids))
            await self._redis.execute("ZREM", index, *ids)
        return count


def _name(tenant: str, entry: str) -> str:
    return f"{tenant_keys(tenant).prefix}transcript:{encoded(entry)}"


def _list(tenant: str, principal: str) -> str:
    return f"{tenant_keys(tenant).prefix}transcripts:{encoded(principal)}"
