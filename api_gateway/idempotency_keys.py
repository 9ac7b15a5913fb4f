"""What became of requests that came with an idempotency key: in Redis, one truth for all replicas.

Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from api_gateway.answer import KeptAnswer
from shared.limits.keys import tenant_keys
from shared.redis_client import Redis, Script

Method = Literal["POST", "PATCH", "PUT", "DELETE"]
# open: somebody is at it. kept: its answer is here. gone: it was carried out, its answer could not be kept.
# lost: it was sent, and nobody knows what became of it.
State = Literal["open", "kept", "gone", "lost"]

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
    """Raises Unavailable when Redis is gone, everywhere."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def claim(self, name: str, tenant: str, claim: Claim, seconds: int) -> Claim | None:
        """None where the key was free and is now this claim's; otherwise whose it is."""
        key, mine = _key(tenant, name), msgspec.msgpack.encode(claim)
        for _ in range(2):
            if await self._redis.execute("SET", key, mine, "NX", "EX", seconds):
                return None
            found = await self._redis.execute("GET", key)
            if found is not None:
                return msgspec.msgpack.decode(found, type=Claim)
        # It ran out twice between two commands: that is nobody's claim.
        return claim

    async def settle(self, name: str, tenant: str, claim: Claim, after: Claim | None, seconds: int) -> None:
        """What has become of the claim; None frees the key. Nothing where it is not ours any more."""
        told = b"" if after is None else msgspec.msgpack.encode(after)
        args = (msgspec.msgpack.encode(claim), told, seconds * 1000)
        await self._redis.run(_SETTLE, [_key(tenant, name)], args)


def _key(tenant: str, name: str) -> str:
    return f"{tenant_keys(tenant).prefix}once:{name}"
