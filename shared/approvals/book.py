"""What is asked and what was decided, in Redis: one truth for every replica of every service.

All of it stands under one hash tag: approvals are few, and an operator looks at all tenants' at once.
"""

from collections.abc import AsyncGenerator

import msgspec

from shared.approvals.approval import Approval, Filed, State, Word
from shared.approvals.scripts import ASK, DECIDE, GIVE_BACK, LEAVE, LOOK
from shared.clock import Clock
from shared.limits.keys import encoded
from shared.redis_client import Redis

CHANNEL = "gs:approvals"
_PREFIX = "gs:{approvals}:"
_ONE = f"{_PREFIX}one:"
_ALL = f"{_PREFIX}all"
# How long an approval can still be looked at after its time is over; the ledger keeps it for good.
_KEPT_US = 86_400_000_000
_READ_AT_ONCE = 100
_BODY = msgspec.msgpack.Decoder(Approval)


class Book:
    """Raises Unavailable when Redis is gone, everywhere."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    async def ask(self, approval: Approval, binding: str, most: int) -> tuple[str, Word] | None:
        """The id of what a person is asked about this call and how it stands: what was asked before, if the
        call is a repeated one, else `approval`. One that was approved is used by that, as `approval.entry`.
        None where `most` of this principal's wait already.
        """
        now, life = approval.created, approval.expires - approval.created
        keys = (
            f"{_PREFIX}call:{binding}",
            f"{_ONE}{approval.id}",
            f"{_PREFIX}of:{encoded(approval.tenant)}:{encoded(approval.principal)}",
            _ALL,
            _tenant(approval.tenant),
        )
        kept_ms, open_ms = (life + _KEPT_US) // 1000, max(1, life // 1000)
        body = msgspec.msgpack.encode(approval)
        oldest = now - _KEPT_US - life
        args = (
            *(_ONE, approval.id, now, approval.expires, most, kept_ms, open_ms, body, oldest),
            approval.entry,
        )
        id, *word = await self._redis.run(ASK, keys, args)
        return (id.decode(), _word(word)) if id else None

    async def look(self, id: str, entry: str) -> Word:
        """How it stands. One that is approved is used by the entry that looks first: to others it is `used`
        from then on.
        """
        return _word(await self._redis.run(LOOK, (_ONE + id,), (self._clock.now_us(), entry)))

    async def give_back(self, id: str, entry: str) -> None:
        """The decision that `entry` has used is not: the same call may still use it. Nothing where another
        has used it, or nobody.
        """
        await self._redis.run(GIVE_BACK, (_ONE + id,), (id, self._clock.now_us(), entry))

    async def leave(self, id: str, *, withdraw: bool = False) -> None:
        """A call no longer waits. Without any other that does, `withdraw` takes back what was asked."""
        await self._redis.run(LEAVE, (_ONE + id,), (id, int(withdraw)))

    async def decide(self, id: str, state: State, by: str, why: str) -> str:
        """`decided`, else how it stands already; "" where there is no such approval."""
        args = (id, self._clock.now_us(), state, by, why, CHANNEL)
        outcome: bytes = await self._redis.run(DECIDE, (_ONE + id,), args)
        return outcome.decode()

    async def find(self, id: str) -> Filed | None:
        found = await self._redis.execute("HMGET", _ONE + id, "body", "state", "by", "at", "why", "ends")
        if found[0] is None:
            return None
        word, ends = _word(found[1:5]), int(found[5])
        if word.state in ("pending", "approved") and ends <= self._clock.now_us():
            word = msgspec.structs.replace(word, state="expired")
        return Filed(_BODY.decode(found[0]), word)

    async def newest(self, tenant: str | None, before: int = 0) -> AsyncGenerator[Filed, None]:
        """Those of a tenant (None: of all), newest first, from those asked before `before` (microseconds)."""
        key, start = _ALL if tenant is None else _tenant(tenant), f"({before}" if before else "+inf"
        at = 0
        while True:
            ids = await self._redis.execute(
                "ZRANGE", key, start, "-inf", "BYSCORE", "REV", "LIMIT", at, _READ_AT_ONCE
            )
            for id in ids:
                filed = await self.find(id.decode())
                if filed is not None:
                    yield filed
            if len(ids) < _READ_AT_ONCE:
                return
            at += _READ_AT_ONCE


def _word(found: list[bytes]) -> Word:
    state, by, at, why = (part.decode() for part in found)
    return msgspec.convert({"state": state, "by": by, "at": int(at), "why": why}, Word)


def _tenant(tenant: str) -> str:
    return f"{_PREFIX}tenant:{encoded(tenant)}"
