"""Claims in a real Valkey: one of many gets the key, at any replica, and only it says what became of it."""

import asyncio

import msgspec
import pytest

from api_gateway import idempotency_keys
from api_gateway.answer import KeptAnswer
from api_gateway.idempotency_keys import Claim, Idempotency, IdempotencyKeys, Slot
from shared.errors import Unavailable
from shared.redis_client import Redis
from shared.valkey import EmbeddedValkey
from tests.support.wait import eventually

RULE = Idempotency(keep_seconds=60)
SLOT = Slot(tenant="acme", route="route:r", name="k")


def _claim(by: str) -> Claim:
    return Claim(by=by, fingerprint=b"f")


async def test_of_many_at_two_replicas_one_gets_the_key(redis: Redis, valkey: EmbeddedValkey) -> None:
    other = await Redis.connect(valkey.url)
    clients = (redis, other)
    keys = [IdempotencyKeys(client) for client in clients]
    tried = [keys[n % 2].claim(SLOT, _claim(f"r{n}"), RULE) for n in range(40)]
    earlier = await asyncio.gather(*tried)
    [winner] = [n for n, found in enumerate(earlier) if found is None]
    assert {found[0].by for found in earlier if found is not None} == {f"r{winner}"}
    kept = msgspec.structs.replace(_claim(f"r{winner}"), state="kept", status=201)
    answer = KeptAnswer(status=201, headers=[(b"a", b"b")], body=b"\xff")
    await keys[winner % 2].settle(SLOT, _claim(f"r{winner}"), kept, RULE, answer)
    for one in keys:
        assert await one.claim(SLOT, _claim("late"), RULE) == (kept, answer)
    await other.close()


async def test_only_whose_claim_it_is_settles_it(redis: Redis) -> None:
    keys = IdempotencyKeys(redis)
    assert await keys.claim(SLOT, _claim("a"), RULE) is None
    await keys.free(SLOT, _claim("b"))
    await keys.settle(SLOT, _claim("b"), _claim("b"), RULE)
    assert await keys.claim(SLOT, _claim("c"), RULE) == (_claim("a"), None)
    await keys.free(SLOT, _claim("a"))
    assert await keys.claim(SLOT, _claim("c"), RULE) is None
    assert await keys.claim(msgspec.structs.replace(SLOT, tenant="other"), _claim("d"), RULE) is None


async def test_an_open_claim_that_nobody_stands_by_any_more_is_lost(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency_keys, "_STAND_SECONDS", 0.01)
    keys = IdempotencyKeys(redis)

    async def state() -> str:
        found = await keys.claim(SLOT, _claim("late"), RULE)
        assert found is not None
        return found[0].state

    async def there() -> bool:
        return await state() == "open"

    assert await keys.claim(SLOT, _claim("a"), RULE) is None
    [stand] = await redis.execute("KEYS", "*once:k:by")
    async with keys.standing_by(SLOT):
        await redis.execute("DEL", stand)
        await eventually(there, "it is stood by again")
    assert 0 < await redis.execute("PTTL", stand) <= 30_000
    await redis.execute("DEL", stand)
    assert await state() == "lost"
    await keys.free(SLOT, _claim("a"))
    assert await keys.claim(SLOT, _claim("c"), RULE) is None


async def test_a_redis_that_refuses_is_like_one_that_is_gone(redis: Redis) -> None:
    keys = IdempotencyKeys(redis)
    assert await keys.claim(SLOT, _claim("a"), RULE) is None
    [key] = await redis.execute("KEYS", "*once:k")
    await redis.execute("DEL", key)
    await redis.execute("RPUSH", key, "something else")
    for work in (
        keys.claim(SLOT, _claim("b"), RULE),
        keys.free(SLOT, _claim("a")),
        keys.settle(SLOT, _claim("a"), _claim("a"), RULE),
    ):
        with pytest.raises(Unavailable):
            await work


async def test_without_redis_nobody_gets_a_key(valkey: EmbeddedValkey) -> None:
    client = await Redis.connect(valkey.url)
    await client.close()
    with pytest.raises(Unavailable):
        await IdempotencyKeys(client).claim(SLOT, _claim("a"), RULE)
