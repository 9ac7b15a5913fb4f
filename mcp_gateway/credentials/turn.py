"""One at a time, among all replicas: whoever has the turn for a name does what must not be done twice."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from shared.errors import Unavailable
from shared.redis_client import Redis, Script

_GIVE_BACK = Script(
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
)
_POLL_SECONDS = 0.05
T = TypeVar("T")


class Turn:
    """`longest` seconds is how long one that died in its turn keeps the others waiting."""

    def __init__(self, redis: Redis, longest: float = 25.0) -> None:
        self._redis = redis
        self._longest = longest

    async def do(
        self, name: str, ready: Callable[[], Awaitable[T | None]], work: Callable[[], Awaitable[T]]
    ) -> T:
        """What `ready` finds, once it finds something; otherwise what `work` makes, in this one's turn.
        `ready` is asked again in the turn: another may have done the work meanwhile. Raises Unavailable.
        """
        attempts = int(2 * self._longest / _POLL_SECONDS)
        for _ in range(attempts):
            async with self._taken(name) as mine:
                if (found := await ready()) is not None:
                    return found
                if mine:
                    return await work()
            await asyncio.sleep(_POLL_SECONDS)
        raise Unavailable("somebody else has been at this for too long; try again", retry_after=1)

    @contextlib.asynccontextmanager
    async def _taken(self, name: str) -> AsyncIterator[bool]:
        token = secrets.token_hex(16)
        milliseconds = int(self._longest * 1000)
        mine = bool(await self._redis.execute("SET", name, token, "NX", "PX", milliseconds))
        try:
            yield mine
        finally:
            if mine:
                with contextlib.suppress(Unavailable):
                    # It ends by itself otherwise.
                    await self._redis.run(_GIVE_BACK, [name], [token])
