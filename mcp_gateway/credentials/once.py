"""Things that are good once and for a short time, known by 256 random bits that only their holder has: the
link to a consent page, and the `state` of an authorization request. Who reads Redis can use neither.
"""

import hashlib
import secrets
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from shared.identity.sealed import SealBroken, Sealer
from shared.redis_client import Redis

_BYTES = 32
_LONGEST = 64
T = TypeVar("T", bound=Struct)


class Once(Generic[T]):
    """`purpose` keeps one kind apart from the others: none opens as another."""

    def __init__(self, purpose: str, kind: type[T], redis: Redis, sealer: Sealer, seconds: int) -> None:
        self._purpose = purpose
        self._kind = kind
        self._redis = redis
        self._sealer = sealer
        self._seconds = seconds

    async def put(self, what: T) -> str:
        """The handle of `what`."""
        handle = secrets.token_urlsafe(_BYTES)
        sealed = self._sealer.seal(msgspec.msgpack.encode(what), self._purpose, handle)
        await self._redis.execute("SET", self._key(handle), sealed, "EX", self._seconds)
        return handle

    async def look(self, handle: str) -> T | None:
        """What the handle stands for, if it is still good."""
        return await self._opened("GET", handle)

    async def take(self, handle: str) -> T | None:
        """The same, and the handle is good no more: of all who take it one gets something."""
        return await self._opened("GETDEL", handle)

    async def _opened(self, command: str, handle: str) -> T | None:
        if not 0 < len(handle) <= _LONGEST:
            return None
        sealed = await self._redis.execute(command, self._key(handle))
        if sealed is None:
            return None
        try:
            plain = self._sealer.open(sealed, self._purpose, handle).plain
            return msgspec.msgpack.decode(plain, type=self._kind)
        except (SealBroken, msgspec.DecodeError):
            return None

    def _key(self, handle: str) -> str:
        digest = hashlib.sha256(handle.encode("utf-8", "surrogatepass")).hexdigest()
        return f"gs:mcp:{self._purpose}:{digest}"
