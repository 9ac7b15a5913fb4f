"""What became of requests that came with an idempotency key: in Redis, one truth for all replicas.

A key is remembered with little more than what was asked and how it went, so that nothing is done twice; its
answer lies beside it, and is the first to go where a tenant's room on a route is used up.

Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from api_gateway.answer import KeptAnswer
from api_gateway.claim_scripts import CLAIM, FREE, OVERHEAD, SETTLE
from shared.background import cancelled
from shared.errors import LimitExceeded, Unavailable
from shared.limits.keys import encoded, tenant_keys
from shared.redis_client import Redis, RedisError, Script

Method = Literal["POST", "PATCH", "PUT", "DELETE"]
# open: somebody is at it. kept: its answer was kept. gone: it was carried out, its answer was too large.
# lost: it was sent, and nobody knows what became of it.
State = Literal["open", "kept", "gone", "lost"]

# An open claim that nobody has stood by for so long is a dead process's.
_STANDS_MS = 30_000
_STAND_SECONDS = 10.0
_ANSWER = ":answer"


class Idempotency(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests of these `methods` with an `idempotency-key` are carried out once: whoever sends one again
    within `keep_seconds` gets the first one's answer. Bodies up to `max_body_bytes` can be told apart,
    answers up to `max_answer_bytes` are kept. `required` refuses such requests without a key.

    Each tenant has room for `tenant_keys` on the route, and more are refused; for their answers there are
    `tenant_bytes`, and the oldest go first.
    """

    methods: list[Method] = msgspec.field(default_factory=lambda: ["POST", "PATCH"])
    required: bool = False
    keep_seconds: Annotated[int, Meta(ge=60, le=2_592_000)] = 86_400
    max_body_bytes: Annotated[int, Meta(ge=1, le=16_777_216)] = 1_048_576
    max_answer_bytes: Annotated[int, Meta(ge=1, le=16_777_216)] = 1_048_576
    tenant_keys: Annotated[int, Meta(ge=1, le=100_000_000)] = 100_000
    tenant_bytes: Annotated[int, Meta(ge=1024, le=1 << 40)] = 67_108_864


def problems(path: str, rule: Idempotency | None) -> list[str]:
    """What is wrong with it, as `path: problem`."""
    if rule is None or rule.max_answer_bytes + OVERHEAD <= rule.tenant_bytes:
        return []
    return [f"{path}.max_answer_bytes: is more than tenant_bytes has room for"]


class Claim(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`by` is the request that made it, `fingerprint` what was asked."""

    by: str
    fingerprint: bytes
    state: State = "open"
    status: int = 0


class Slot(Struct, frozen=True, kw_only=True):
    """Where a claim is kept: `name` tells it from all others, and it takes its tenant's room on `route`."""

    tenant: str
    route: str
    name: str

    @property
    def before(self) -> str:
        return f"{tenant_keys(self.tenant).prefix}once:"

    @property
    def claim(self) -> str:
        return f"{self.before}{self.name}"

    @property
    def stand(self) -> str:
        return f"{self.claim}:by"

    @property
    def answer(self) -> str:
        return f"{self.claim}{_ANSWER}"

    def room(self, what: Literal["keys", "answers", "bytes"]) -> str:
        """What all claims of the tenant on the route share."""
        return f"{self.before}{encoded(self.route)}:{what}"


class IdempotencyKeys:
    """Raises Unavailable when Redis is gone or refuses, everywhere."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def claim(
        self, slot: Slot, claim: Claim, rule: Idempotency
    ) -> tuple[Claim, KeptAnswer | None] | None:
        """None where the key was free and is now this claim's; otherwise whose it is, and its answer if that
        is still kept. One that is open while nobody is at it any more is lost. Raises LimitExceeded.
        """
        keys = [slot.claim, slot.stand, slot.answer, slot.room("keys")]
        args = (_packed(claim), rule.keep_seconds * 1000, _STANDS_MS, slot.name, rule.tenant_keys)
        try:
            code, *told = await self._run(CLAIM, keys, args)
        except asyncio.CancelledError:
            # It may be ours all the same, and nothing will be done under it.
            self._redis.post(FREE, *_freed(slot, claim))
            raise
        except Unavailable:
            with contextlib.suppress(Unavailable):
                await self.free(slot, claim)
            raise
        if code == 1:
            return None
        if code < 0:
            raise LimitExceeded(
                f"idempotency-key: this tenant has used {rule.tenant_keys} keys here, and no more are "
                "remembered: there is room again when the oldest is forgotten",
                retry_after=told[0] / 1000,
            )
        earlier, standing, answer = told
        found = msgspec.msgpack.decode(earlier, type=Claim)
        if found.state == "open" and not standing:
            found = msgspec.structs.replace(found, state="lost")
        return found, msgspec.msgpack.decode(answer, type=KeptAnswer) if answer else None

    @contextlib.asynccontextmanager
    async def standing_by(self, slot: Slot) -> AsyncIterator[None]:
        """Around carrying out what was claimed: others are told to wait for as long as that goes on."""
        task = asyncio.create_task(self._stand(slot.stand))
        try:
            yield
        finally:
            await cancelled(task)

    async def free(self, slot: Slot, claim: Claim) -> None:
        """Nothing was done. Nothing happens where the claim is not ours any more."""
        await self._run(FREE, *_freed(slot, claim))

    async def settle(
        self, slot: Slot, claim: Claim, after: Claim, rule: Idempotency, answer: KeptAnswer | None = None
    ) -> None:
        """What has become of the claim. Nothing happens where it is not ours any more."""
        rooms = [slot.room("keys"), slot.room("answers"), slot.room("bytes")]
        told = b"" if answer is None else msgspec.msgpack.encode(answer)
        args = (_packed(claim), _packed(after), rule.keep_seconds * 1000, slot.name, told, rule.tenant_bytes)
        keys = [slot.claim, slot.stand, slot.answer, *rooms]
        await self._run(SETTLE, keys, (*args, slot.before, _ANSWER))

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


def _freed(slot: Slot, claim: Claim) -> tuple[list[str], tuple[bytes, str]]:
    return [slot.claim, slot.stand, slot.room("keys")], (_packed(claim), slot.name)


def _packed(claim: Claim) -> bytes:
    return msgspec.msgpack.encode(claim)
