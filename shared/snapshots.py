"""Signed copies of what the control plane owns (keys, kills, policy), on which processes live without SQL.

An epoch only rises: a copy that was valid once is not taken again. Redis carries them and is not believed.
"""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from shared.clock import Clock
from shared.errors import GatestackError, Unauthenticated, Unavailable
from shared.identity.signing import Signer
from shared.identity.verify import Verifier
from shared.redis_client import Redis, RedisError, Script

TYPE = "snapshot+jwt"
# The service that signs them.
PUBLISHER = "api_gateway"
_NEVER = float("-inf")
CHANNEL = EPOCHS = "gs:epochs"
Apply = Callable[[bytes, int], None]
# With the line break behind it; a signature has a few hundred bytes.
_LONGEST_SIGNATURE = 4096
_EPOCH = re.compile(rb"[0-9]{1,18}")

# The value holds signature and payload in one: no reader ever sees one without the other. Publishing the very
# same again is welcome: it renews the signature, and heals a Redis that has lost its list of epochs.
_PUBLISH = Script(
    """
local held = redis.call('GET', KEYS[1])
local epoch = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0') or 0
if epoch > tonumber(ARGV[2]) then return epoch end
if epoch == tonumber(ARGV[2]) and held then
  local payload = string.sub(held, (string.find(held, '\\n', 1, true) or 0) + 1)
  if payload ~= ARGV[4] then return epoch end
end
redis.call('SET', KEYS[1], ARGV[3] .. '\\n' .. ARGV[4])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('PUBLISH', KEYS[2], ARGV[1])
return 'taken'
"""
)


# Only what was looked at is thrown away: somebody may have put something better there meanwhile.
_DROP = Script(
    """
if (redis.call('GET', KEYS[1]) or '') == ARGV[2] then
  redis.call('DEL', KEYS[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
end
return 1
"""
)


class Superseded(Unavailable):
    """Somebody else has published this epoch or a later one: read the truth anew and publish that, higher
    than `epoch` (0 where there is none to speak of).
    """

    epoch = 0


class _Claims(Struct, frozen=True):
    iss: str
    name: str
    epoch: int
    sha256: str


class Refused(Exception):
    """What was brought, or lies in Redis, is not what the control plane published."""


class Snapshots:
    """Without a `verifier` it can publish, but never takes anything. `issuer` is who may publish.

    `trouble` says by name why the newest copy could not be taken; it is empty while all is well.
    """

    def __init__(
        self,
        redis: Redis,
        verifier: Verifier | None,
        clock: Clock,
        *,
        issuer: str = PUBLISHER,
        poll_seconds: float = 1.0,
    ) -> None:
        self.trouble: dict[str, str] = {}
        self._redis = redis
        self._verifier = verifier
        self._clock = clock
        self._issuer = issuer
        self._poll_seconds = poll_seconds
        self._apply: dict[str, list[Apply]] = {}
        self._epochs: dict[str, int] = {}
        self._taken: dict[str, int] = {}
        self._confirmed: dict[str, float] = {}
        self._heard = asyncio.Event()

    def on(self, name: str, apply: Apply) -> None:
        """Calls `apply(payload, epoch)` for every newer copy; when it raises, again at the next look."""
        self._apply.setdefault(name, []).append(apply)

    def obeys(self, name: str) -> bool:
        """Whether somebody in this process takes the copies of this name."""
        return name in self._apply

    def fresh(self, name: str) -> float:
        """Seconds since what we hold was last known to be the newest; infinite before the first time."""
        return self._clock.monotonic() - self._confirmed.get(name, _NEVER)

    def epochs(self) -> dict[str, int]:
        return dict(self._epochs)

    def taken(self) -> dict[str, int]:
        """When each copy that we hold was taken over, in microseconds since 1970."""
        return dict(self._taken)

    async def published(self) -> dict[str, int]:
        """The newest epochs, as Redis lists them. Raises Unavailable."""
        try:
            return await self._listed()
        except RedisError as error:
            raise Unavailable("the epochs cannot be read at the moment", cause=error) from error

    async def publish(self, name: str, payload: bytes, epoch: int, signer: Signer) -> None:
        """Makes `payload` what every process obeys from now on. Raises Superseded if it is not the newest."""
        digest = hashlib.sha256(payload).hexdigest()
        token = signer.sign({"name": name, "epoch": epoch, "sha256": digest}, typ=TYPE)
        await self._put(name, epoch, token, payload)

    async def lay(self, name: str, value: bytes) -> None:
        """Puts into Redis, as it is, what the control plane has signed elsewhere. What lies there and is not
        signed by it gives way, whatever epoch it claims. Raises Refused, Superseded, Unavailable, RedisError.
        """
        epoch = await self.authentic(name, value)
        token, _, payload = value.partition(b"\n")
        try:
            await self._put(name, epoch, token.decode(), payload)
        except Superseded:
            held = await self._redis.execute("GET", _key(name)) or b""
            with contextlib.suppress(Refused, Unauthenticated):
                if await self.authentic(name, held) >= epoch:
                    raise
            await self._redis.run(_DROP, [_key(name), EPOCHS], [name, held])
            await self._put(name, epoch, token.decode(), payload)

    async def withdraw(self, name: str) -> None:
        """Takes it out of Redis: from now on nobody can confirm it."""
        await self._redis.execute("HDEL", EPOCHS, name)
        await self._redis.execute("DEL", _key(name))

    async def signed(self, name: str) -> bytes | None:
        """What lies in Redis: signature and payload, with a line break between them."""
        value: bytes | None = await self._redis.execute("GET", _key(name))
        return value

    async def signature(self, name: str) -> bytes:
        """Only its signature; empty where there is nothing."""
        start: bytes = await self._redis.execute("GETRANGE", _key(name), 0, _LONGEST_SIGNATURE)
        return start.partition(b"\n")[0]

    async def authentic(self, name: str, value: bytes) -> int:
        """The epoch under which the control plane has signed this copy. Raises Refused, and what the verifier
        raises.
        """
        if self._verifier is None:
            raise Refused("there is nobody to verify it")
        token, _, payload = value.partition(b"\n")
        signed = await self._verifier.authentic(token.decode("ascii", "replace"), typ=TYPE)
        try:
            claims = msgspec.convert(signed, _Claims)
        except msgspec.ValidationError as error:
            raise Refused(f"what is signed is no snapshot: {error}") from error
        if (claims.iss, claims.name) != (self._issuer, name):
            raise Refused("it is signed as something else")
        if claims.sha256 != hashlib.sha256(payload).hexdigest():
            raise Refused("its content is not what was signed")
        return claims.epoch

    def bell(self) -> asyncio.Event:
        """Rings when anything is published from now on. It may miss that: look as well, once in a while."""
        return self._heard

    async def missing(self, published: Mapping[str, int]) -> list[str]:
        """Which of these Redis no longer has, at this epoch or a later one. Empty when nobody can tell."""
        try:
            known = await self._listed()
        except (Unavailable, RedisError):
            return []
        return [name for name, epoch in published.items() if known.get(name, 0) < epoch]

    async def run(self) -> None:
        """Keeps up: with messages at once, and by looking every second for those that got lost."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._poll())

    async def look(self) -> None:
        """Takes whatever is newer than what we hold."""
        try:
            known = await self._listed()
        except (Unavailable, RedisError) as error:
            self.trouble.update(dict.fromkeys(self._apply, str(error)))
            return
        for name in self._apply:
            if name in self._epochs and known.get(name) == self._epochs[name]:
                self._confirm(name)
            else:
                await self._refresh(name)

    async def _listen(self) -> None:
        async with self._redis.subscribe(CHANNEL) as messages:
            async for message in messages:
                self._heard.set()
                self._heard = asyncio.Event()
                name = message.decode("utf-8", "replace")
                if name in self._apply:
                    await self._refresh(name)
                else:
                    await self.look()

    async def _poll(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self._poll_seconds)

    async def _refresh(self, name: str) -> None:
        try:
            await self._take(name)
        # An apply function may raise anything, and the other snapshots must go on; freshness makes it known.
        except Exception as error:
            self.trouble[name] = error.detail if isinstance(error, GatestackError) else str(error)

    async def _take(self, name: str) -> None:
        value = await self._redis.execute("GET", _key(name))
        if value is None:
            raise Refused("nothing has been published yet")
        epoch = await self.authentic(name, value)
        payload = value.partition(b"\n")[2]
        held = self._epochs.get(name)
        if held is not None and epoch < held:
            raise Refused(f"epoch {epoch} was offered after epoch {held}")
        if epoch != held:
            for apply in self._apply[name]:
                apply(payload, epoch)
            self._epochs[name], self._taken[name] = epoch, self._clock.now_us()
        self._confirm(name)

    def _confirm(self, name: str) -> None:
        self._confirmed[name] = self._clock.monotonic()
        self.trouble.pop(name, None)

    async def _put(self, name: str, epoch: int, token: str, payload: bytes) -> None:
        newest = await self._redis.run(_PUBLISH, [_key(name), EPOCHS], [name, epoch, token, payload])
        if newest != b"taken":
            error = Superseded(f"a newer version of {name} has been published meanwhile: try again")
            error.epoch = int(newest)
            raise error

    async def _listed(self) -> dict[str, int]:
        flat: list[bytes] = await self._redis.execute("HGETALL", EPOCHS)
        pairs = zip(flat[::2], flat[1::2], strict=True)
        return {
            name.decode("utf-8", "replace"): int(epoch) for name, epoch in pairs if _EPOCH.fullmatch(epoch)
        }


def _key(name: str) -> str:
    return f"gs:snapshot:{name}"
