"""What became of requests that came with an idempotency key: in Redis, one truth for all replicas.

Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from api_gateway.answer import KeptAnswer
from shared.background import cancelled
from shared.errors import Unavailable
from shared.limits.keys import tenant_keys
from shared.redis_client import Redis, RedisError, Script

Method = Literal["POST", "PATCH", "PUT", "DELETE"]
# open: somebody is at it. kept: its answer is here. gone: it was carried out, its answer could not be kept.
# lost: it was sent, and nobody knows what became of it.
State = Literal["open", "kept", "gone", "lost"]

# An open claim that nobody has stood by for so long is a dead process's.
_STANDS_MS = 30_000
_STAND_SECONDS = 10.0

# KEYS claim, who stands by it · ARGV the claim as we made it, milliseconds of either
_CLAIM = Script("""
local found = redis.call('GET', KEYS[1])
if found then return {found, redis.call('EXISTS', KEYS[2])} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], '', 'PX', ARGV[3])
return false
""")

# KEYS claim · ARGV the claim as we made it, what replaces it ("" deletes it), milliseconds
_SETTLE = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
""")


class Idempotency(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests of these `methods` with an `idempotency-key` are carried out once: whoever sends one again
    within `keep_seconds` gets the first one's answer. Bodies up to `max_body_bytes` can be told apart,
    answers up to `max_answer_bytes` are kept. `required` refuses such requests without a key.
    """

    methods: list[Method] = msgspec.field(default_factory=lambda: ["POST", "PATCH"])
    required: bool = False
    keep_seconds: Annotated[int, Meta(ge=60, le=2_592_000)] = 86_400
    max_body_bytes: Annotated[int, Meta(ge=1, le=16_777_216)] = 1_048_576
    max_answer_bytes: Annotated[int, Meta(ge=1, le=16_777_216)] = 1_048_576


class Claim(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`by` is the request that made it, `fingerprint` what was asked."""

    by: str
    fingerprint: bytes
    state: State = "open"
    status: int = 0
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes = b""

    @property
    def answer(self) -> KeptAnswer:
        return KeptAnswer(status=self.status, headers=self.headers, body=self.body)


class IdempotencyKeys:
    """Raises Unavailable when Redis is gone or refuses, everywhere."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def claim(self, name: str, tenant: str, claim: Claim, seconds: int) -> Claim | None:
        """None where the key was free and is now this claim's; otherwise whose it is. One that is open while
        nobody is at it any more is lost.
        """
        args = (msgspec.msgpack.encode(claim), seconds * 1000, _STANDS_MS)
        found = await self._run(_CLAIM, [_key(tenant, name), _stand(tenant, name)], args)
        if found is None:
            return None
        earlier = msgspec.msgpack.decode(found[0], type=Claim)
        dead = earlier.state == "open" and not found[1]
        return msgspec.structs.replace(earlier, state="lost") if dead else earlier

    @contextlib.asynccontextmanager
    async def standing_by(self, name: str, tenant: str) -> AsyncIterator[None]:
        """Around carrying out what was claimed: others are told to wait for as long as that goes on."""
        task = asyncio.create_task(self._stand(_stand(tenant, name)))
        try:
            yield
        finally:
            await cancelled(task)

    async def settle(self, name: str, tenant: str, claim: Claim, after: Claim | None, seconds: int) -> None:
        """What has become of the claim; None frees the key. Nothing where it is not ours any more."""
        told = b"" if after is None else msgspec.msgpack.encode(after)
        args = (msgspec.msgpack.encode(claim), told, seconds * 1000)
        await self._run(_SETTLE, [_key(tenant, name)], args)

    async def _run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """A server that refuses our own scripts is of no more use than one that is gone."""
        try:
            return await self._redis.run(script, keys, args)
        except RedisError as error:
            raise Unavailable(
                "what has become of this key cannot be looked up", retry_after=1, cause=error
            ) from error

    async def _stand(self, key: str) -> None:
        while True:
            await asyncio.sleep(_STAND_SECONDS)
            # Without Redis nobody asks either.
            with contextlib.suppress(Unavailable, RedisError):
                await self._redis.execute("SET", key, "", "PX", _STANDS_MS)


def _key(tenant: str, name: str) -> str:
    return f"{tenant_keys(tenant).prefix}once:{name}"


def _stand(tenant: str, name: str) -> str:
    return f"{_key(tenant, name)}:by"
