"""Notifications that wait for their delivery, in Redis: they survive this process, and any replica delivers
them. One queue a webhook keeps their order; what fails waits, and what is behind it waits with it.
"""

import hashlib

import msgspec
from msgspec import Struct

from agent_gateway.push.webhooks import Webhook
from shared.clock import Clock
from shared.errors import LimitExceeded
from shared.identity.principal import Trace
from shared.redis_client import Redis, Script

_DUE, _DEAD = "gs:{push}:due", "gs:{push}:dead"
_KEPT_DEAD = 1_000
# An agent that has not heard our answer sends again within this time.
_REPEATED_SECONDS = 3_600
_KEPT_SECONDS = 604_800

_PUT = Script(
    """
if redis.call('LLEN', KEYS[2]) >= tonumber(ARGV[3]) then return -1 end
if KEYS[1] ~= '' and ARGV[1] == '1' then
  if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[2]) then return 0 end
end
redis.call('RPUSH', KEYS[2], ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[7])
redis.call('ZADD', KEYS[3], 'NX', ARGV[5], ARGV[6])
return 1
"""
)
# Whoever takes one has it to itself until the lease is over; should it die, another takes it then.
_TAKE = Script(
    """
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, hook in ipairs(found) do redis.call('ZADD', KEYS[1], ARGV[2], hook) end
return found
"""
)
_DONE = Script(
    """
local head = redis.call('LINDEX', KEYS[1], 0)
if head and head == ARGV[1] then redis.call('LPOP', KEYS[1]) end
if redis.call('LLEN', KEYS[1]) == 0 then redis.call('ZREM', KEYS[2], ARGV[2])
else redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2]) end
return 1
"""
)
_LATER = Script(
    """
if redis.call('LINDEX', KEYS[1], 0) == ARGV[1] then
  redis.call('LSET', KEYS[1], 0, ARGV[2])
  redis.call('ZADD', KEYS[2], ARGV[3], ARGV[4])
end
return 1
"""
)


class Letter(Struct, frozen=True, kw_only=True):
    """One notification. `id` stays the same over all attempts. `parent` is the ledger's entry of its arrival,
    `trace` the context of that.
    """

    id: str
    body: str
    kind: str
    attempts: int = 0
    parent: str = ""
    trace: Trace | None = None


_LETTER = msgspec.json.Decoder(Letter)


class Outbox:
    """`waiting` is how many notifications one webhook's queue holds, `lease` the longest an attempt takes."""

    def __init__(self, redis: Redis, clock: Clock, *, waiting: int, lease: float) -> None:
        self._redis = redis
        self._clock = clock
        self._waiting = waiting
        self._lease = lease

    async def put(self, webhook: Webhook, letter: Letter, *, once: bool) -> bool:
        """Queues a notification; with `once`, not one that says the very same. Raises LimitExceeded."""
        digest = hashlib.sha256(letter.body.encode()).hexdigest()[:32]
        said = f"gs:{{push}}:said:{webhook.id}:{digest}"
        keys = [said, _queue(webhook.id), _DUE]
        value = msgspec.json.encode(letter)
        args: list[bytes | str | int] = ["1" if once else "0", _REPEATED_SECONDS, self._waiting, value]
        done = await self._redis.run(_PUT, keys, [*args, self._now(), webhook.id, _KEPT_SECONDS])
        if done < 0:
            raise LimitExceeded("too many notifications wait for this webhook", retry_after=60.0)
        return bool(done)

    async def take(self, most: int) -> list[tuple[str, bytes, Letter]]:
        """What is due, each for us alone for a while: the webhook's id, the letter as it lies there, and
        read.
        """
        until = self._now() + int(self._lease * 1000)
        hooks = [
            bytes(hook).decode() for hook in await self._redis.run(_TAKE, [_DUE], [self._now(), until, most])
        ]
        found = []
        for hook in hooks:
            raw = await self._redis.execute("LINDEX", _queue(hook), 0)
            if raw is None:
                await self._redis.execute("ZREM", _DUE, hook)
            else:
                found.append((hook, bytes(raw), _LETTER.decode(raw)))
        return found

    async def done(self, hook: str, raw: bytes) -> None:
        await self._redis.run(_DONE, [_queue(hook), _DUE], [raw, hook, self._now()])

    async def later(self, hook: str, raw: bytes, letter: Letter, seconds: float) -> None:
        again = msgspec.structs.replace(letter, attempts=letter.attempts + 1)
        at = self._now() + int(seconds * 1000)
        await self._redis.run(_LATER, [_queue(hook), _DUE], [raw, msgspec.json.encode(again), at, hook])

    async def back(self, hook: str) -> None:
        """Gives up what was taken and not brought to its end: it is due at once, for anybody."""
        await self._redis.execute("ZADD", _DUE, "XX", self._now(), hook)

    async def bury(self, hook: str, raw: bytes, letter: Letter, why: str) -> None:
        """Gives a notification up, and says why to whoever looks."""
        note = msgspec.json.encode({"webhook": hook, "letter": letter.id, "why": why, "at": self._now()})
        await self._redis.execute("LPUSH", _DEAD, note)
        await self._redis.execute("LTRIM", _DEAD, 0, _KEPT_DEAD - 1)
        await self.done(hook, raw)

    async def waiting(self, hook: str) -> int:
        """How many wait for this webhook."""
        return int(await self._redis.execute("LLEN", _queue(hook)))

    async def forget(self, hook: str) -> None:
        """Everything that waits for a webhook that is no more."""
        await self._redis.execute("DEL", _queue(hook))
        await self._redis.execute("ZREM", _DUE, hook)

    async def dead(self) -> list[bytes]:
        return [bytes(note) for note in await self._redis.execute("LRANGE", _DEAD, 0, -1)]

    def _now(self) -> int:
        """Milliseconds since 1970."""
        return int(self._clock.now() * 1000)


def _queue(hook: str) -> str:
    return f"gs:{{push}}:queue:{hook}"
