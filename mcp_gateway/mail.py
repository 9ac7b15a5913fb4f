"""How replicas reach one another: each has a letter box in Redis, and a channel on which it hears that
something lies there. What is posted survives a broken connection, not a dead replica.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from shared.errors import Unavailable
from shared.redis_client import Redis, RedisError, Script

CHANNEL = "gs:mcp:mail"
_KEY = "gs:mcp:mail:"
_SECONDS = 300
_BATCH = 100
_MOST_WAITING = 1000
_POST = Script(
    """
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('PUBLISH', ARGV[3], ARGV[4])
"""
)


class _Letter(Struct, frozen=True, array_like=True):
    """To `box` of one replica; of all of them where `replica` is empty."""

    replica: str
    box: str = ""
    message: bytes = b""


class Box:
    """Where answers to one thing arrive. `address` is good at every replica."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(_MOST_WAITING)

    async def get(self) -> bytes:
        return await self._queue.get()

    def put(self, message: bytes) -> None:
        # Whoever does not read any more must not fill our memory.
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait(message)


class Mail:
    """`run` delivers what others post to this replica."""

    def __init__(self, redis: Redis) -> None:
        self.replica = secrets.token_hex(8)
        self._redis = redis
        self._boxes: dict[str, Callable[[bytes], None]] = {}

    def on(self, name: str, take: Callable[[bytes], None]) -> None:
        """A box that every replica has under the same name."""
        self._boxes[name] = take

    @contextlib.contextmanager
    def opened(self, take: Callable[[bytes], None] | None = None) -> Iterator[Box]:
        """A box for as long as the block lasts; with `take`, that gets what comes, and nobody waits."""
        name = secrets.token_hex(8)
        box = Box(f"{self.replica}/{name}")
        self._boxes[name] = take or box.put
        try:
            yield box
        finally:
            del self._boxes[name]

    async def post(self, address: str, message: bytes) -> None:
        """To the box at `address`, if it is still there. Raises Unavailable."""
        replica, _, box = address.partition("/")
        if replica == self.replica:
            self._deliver(_Letter(replica, box, message))
            return
        letter = msgspec.msgpack.encode(_Letter(replica, box, message))
        poke = msgspec.msgpack.encode(_Letter(replica))
        await self._redis.run(_POST, [_KEY + replica], [letter, _SECONDS, CHANNEL, poke])

    async def shout(self, name: str, message: bytes) -> None:
        """To the box `name` of every other replica that listens at this moment. Raises Unavailable."""
        letter = _Letter("", name, message)
        await self._redis.execute("PUBLISH", CHANNEL, msgspec.msgpack.encode(letter))

    async def run(self) -> None:
        """Runs until it is cancelled."""
        async with self._redis.subscribe(CHANNEL) as messages:
            async for message in messages:
                letter = _read(message) if message else _Letter(self.replica)
                if letter is not None and letter.replica == self.replica:
                    await self._collect()
                elif letter is not None and not letter.replica:
                    self._deliver(letter)

    async def _collect(self) -> None:
        found: Any = True
        # Once Redis is back, the subscription is too, and we look again.
        with contextlib.suppress(Unavailable, RedisError):
            while found:
                found = await self._redis.execute("LPOP", _KEY + self.replica, _BATCH)
                for letter in map(_read, found or ()):
                    if letter is not None:
                        self._deliver(letter)

    def _deliver(self, letter: _Letter) -> None:
        take = self._boxes.get(letter.box)
        if take is not None:
            take(letter.message)


def _read(raw: bytes) -> _Letter | None:
    try:
        return msgspec.msgpack.decode(raw, type=_Letter)
    except msgspec.DecodeError:
        return None
