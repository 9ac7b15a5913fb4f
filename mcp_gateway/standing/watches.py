"""Which resources a session wants to hear of, and where its stream is: kept in Redis, so that a subscription
may come in at one replica while the stream stands at another.
"""

import msgspec
from msgspec import Struct

from mcp_gateway.mail import Mail
from mcp_gateway.sessions import Session
from shared.errors import BadRequest
from shared.redis_client import Redis

MOST = 200
# A stream says again and again that it is still there.
STREAM_SECONDS = 60
# What a stream is told: that it has been replaced or its session has ended, or to look at its watches again.
END, LOOK = b"end", b"look"


class Watch(Struct, frozen=True, array_like=True):
    """A resource by its server's own name, and what the client calls it."""

    server: str
    uri: str
    exposed: str


class Watches:
    def __init__(self, redis: Redis, mail: Mail, seconds: int) -> None:
        self._redis = redis
        self._mail = mail
        self._seconds = seconds

    async def add(self, session: Session, watch: Watch) -> None:
        """Raises BadRequest where there are too many, Unavailable."""
        key = _key(session, "watches")
        if await self._redis.execute("SCARD", key) >= MOST:
            raise BadRequest(f"a session can hear of {MOST} resources")
        await self._redis.execute("SADD", key, msgspec.msgpack.encode(watch))
        await self._redis.execute("EXPIRE", key, self._seconds)
        await self._poke(session, LOOK)

    async def remove(self, session: Session, watch: Watch) -> None:
        await self._redis.execute("SREM", _key(session, "watches"), msgspec.msgpack.encode(watch))
        await self._poke(session, LOOK)

    async def of(self, session: Session) -> list[Watch]:
        key = _key(session, "watches")
        found = await self._redis.execute("SMEMBERS", key)
        if found:
            await self._redis.execute("EXPIRE", key, self._seconds)
        return sorted((msgspec.msgpack.decode(raw, type=Watch) for raw in found), key=lambda one: one.exposed)

    async def attach(self, session: Session, address: str) -> None:
        """The session's stream is at `address` now; one that it had before ends."""
        key = _key(session, "stream")
        before = await self._redis.execute("SET", key, address, "EX", STREAM_SECONDS, "GET")
        if before and bytes(before).decode() != address:
            await self._mail.post(bytes(before).decode(), END)

    async def ended(self, session: Session) -> None:
        """The session is over, and with it its stream."""
        await self._poke(session, END)
        await self._redis.execute("DEL", _key(session, "watches"), _key(session, "stream"))

    async def _poke(self, session: Session, message: bytes) -> None:
        address = await self._redis.execute("GET", _key(session, "stream"))
        if address:
            await self._mail.post(bytes(address).decode(), message)


def _key(session: Session, what: str) -> str:
    return f"gs:{{{session.tenant}}}:mcp:{what}:{session.id}"
