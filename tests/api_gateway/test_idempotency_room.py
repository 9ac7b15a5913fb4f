"""How much of Redis one tenant's idempotency keys can take: bounded at any moment, and nothing that was done
is forgotten to make room.
"""

import asyncio

import msgspec
import pytest

from api_gateway.answer import KeptAnswer
from api_gateway.claim_scripts import OVERHEAD
from api_gateway.http_route import HttpRoute, problems
from api_gateway.idempotency_keys import Claim, Idempotency, IdempotencyKeys, Slot
from shared.errors import LimitExceeded
from shared.redis_client import Redis
from shared.valkey import EmbeddedValkey

BODY = b"x" * 1000
# Room for four such answers.
RULE = Idempotency(keep_seconds=60, tenant_keys=30, tenant_bytes=4 * (len(BODY) + OVERHEAD + 100))


def _slot(name: str, tenant: str = "acme", route: str = "route:r") -> Slot:
    return Slot(tenant=tenant, route=route, name=name)


def _claim(name: str) -> Claim:
    return Claim(by=f"by-{name}", fingerprint=b"f")


async def _carried_out(
    keys: IdempotencyKeys, slot: Slot, rule: Idempotency = RULE, body: bytes = BODY
) -> None:
    claim = _claim(slot.name)
    assert await keys.claim(slot, claim, rule) is None
    after = msgspec.structs.replace(claim, state="kept", status=200)
    await keys.settle(slot, claim, after, rule, KeptAnswer(status=200, headers=(), body=body))


async def _found(keys: IdempotencyKeys, name: str) -> tuple[Claim, KeptAnswer | None]:
    found = await keys.claim(_slot(name), _claim("late"), RULE)
    assert found is not None
    return found


async def _bytes(redis: Redis) -> int:
    """What the answers that are there take by the server's own account of their names."""
    names = await redis.execute("KEYS", "*:answer")
    return sum([await redis.execute("STRLEN", name) + OVERHEAD for name in names])


async def _pass_time(redis: Redis, slot: Slot) -> None:
    """The time passes for which all that is kept now is kept."""
    for what in ("keys", "answers"):
        room = slot.room("keys" if what == "keys" else "answers")
        for member in await redis.execute("ZRANGE", room, 0, -1):
            await redis.execute("ZADD", room, 1, member)
    kept = set(await redis.execute("KEYS", f"{slot.before}*"))
    rooms = set(await redis.execute("KEYS", slot.room("keys").removesuffix("keys") + "*"))
    await redis.execute("DEL", *(kept - rooms))


async def test_the_oldest_answer_makes_room_and_its_request_stays_known(redis: Redis) -> None:
    keys = IdempotencyKeys(redis)
    for number in range(6):
        await _carried_out(keys, _slot(f"k{number}"))
    there = [(await _found(keys, f"k{number}"))[1] is not None for number in range(6)]
    assert there == [False, False, True, True, True, True]
    assert (await _found(keys, "k0"))[0] == msgspec.structs.replace(_claim("k0"), state="kept", status=200)
    assert await _bytes(redis) == int(await redis.execute("GET", _slot("").room("bytes")))


async def test_a_large_answer_takes_the_room_of_several_and_one_too_large_takes_none(redis: Redis) -> None:
    keys = IdempotencyKeys(redis)
    for number in range(4):
        await _carried_out(keys, _slot(f"k{number}"))
    await _carried_out(keys, _slot("huge"), body=b"x" * RULE.tenant_bytes)
    assert (await _found(keys, "huge"))[1] is None
    assert (await _found(keys, "k0"))[1] is not None
    await _carried_out(keys, _slot("large"), body=BODY * 3)
    there = [(await _found(keys, name))[1] is not None for name in ("k0", "k1", "k2", "k3", "large")]
    assert there == [False, False, False, True, True]


async def test_more_keys_than_there_is_room_for_are_refused_until_the_first_is_forgotten(
    redis: Redis,
) -> None:
    keys = IdempotencyKeys(redis)
    for number in range(RULE.tenant_keys):
        await _carried_out(keys, _slot(f"k{number}"))
    with pytest.raises(LimitExceeded, match="30 keys") as refused:
        await keys.claim(_slot("more"), _claim("more"), RULE)
    assert refused.value.retry_after is not None
    assert 50 < refused.value.retry_after <= 60
    # Whoever comes again is told, and others have room of their own.
    assert (await _found(keys, "k0"))[0].status == 200
    for other in (_slot("more", tenant="globex"), _slot("more", route="route:s")):
        assert await keys.claim(other, _claim("more"), RULE) is None


async def test_a_key_that_is_freed_leaves_its_room(redis: Redis) -> None:
    keys, rule = IdempotencyKeys(redis), Idempotency(tenant_keys=1)
    for name in ("a", "b"):
        assert await keys.claim(_slot(name), _claim(name), rule) is None
        await keys.free(_slot(name), _claim(name))
    assert await redis.execute("KEYS", "*once*") == []


async def test_what_has_expired_takes_no_room(redis: Redis) -> None:
    keys = IdempotencyKeys(redis)
    for number in range(RULE.tenant_keys):
        await _carried_out(keys, _slot(f"k{number}"))
    await _pass_time(redis, _slot(""))
    for number in range(4):
        await _carried_out(keys, _slot(f"k{number}"))
    assert [(await _found(keys, f"k{number}"))[1] is not None for number in range(4)] == [True] * 4
    assert await _bytes(redis) == int(await redis.execute("GET", _slot("").room("bytes")))
    assert await redis.execute("ZCARD", _slot("").room("keys")) == 4


async def test_all_that_is_kept_goes_by_itself(redis: Redis) -> None:
    await _carried_out(IdempotencyKeys(redis), _slot("k"))
    left = [await redis.execute("PTTL", name) for name in await redis.execute("KEYS", "*once*")]
    assert len(left) == 5
    assert all(0 < ms <= 60_000 for ms in left)


async def test_the_bounds_hold_at_every_moment_for_many_at_two_replicas(
    redis: Redis, valkey: EmbeddedValkey
) -> None:
    other = await Redis.connect(valkey.url)
    replicas = [IdempotencyKeys(redis), IdempotencyKeys(other)]
    seen: list[int] = []
    refused: list[str] = []

    async def call(number: int) -> None:
        name = f"k{number % 60}"  # each of sixty keys twice, at both replicas
        keys, claim = replicas[number // 60], _claim(f"{number}")
        try:
            if await keys.claim(_slot(name), claim, RULE) is not None:
                return
        except LimitExceeded:
            refused.append(name)
            return
        after = msgspec.structs.replace(claim, state="kept", status=200)
        await keys.settle(_slot(name), claim, after, RULE, KeptAnswer(status=200, headers=(), body=BODY))
        seen.append(int(await redis.execute("GET", _slot("").room("bytes"))))

    await asyncio.gather(*(call(number) for number in range(120)))
    assert len(seen) == RULE.tenant_keys
    assert max(seen) <= RULE.tenant_bytes
    assert refused
    assert await redis.execute("ZCARD", _slot("").room("keys")) == RULE.tenant_keys
    assert await redis.execute("ZCARD", _slot("").room("answers")) == 4
    assert await _bytes(redis) == seen[-1]
    await other.close()


def test_a_route_must_have_room_for_one_answer() -> None:
    tight = Idempotency(max_answer_bytes=10_000, tenant_bytes=10_000)
    routes = [
        HttpRoute(name=f"r{number}", prefix=f"/r{number}", urls=["http://a"], idempotency=rule)
        for number, rule in enumerate((None, Idempotency(), tight))
    ]
    assert problems("routes", routes) == [
        "routes[2].idempotency.max_answer_bytes: is more than tenant_bytes has room for"
    ]


async def test_an_answer_that_takes_the_place_of_an_expired_one_is_counted_once(redis: Redis) -> None:
    keys, rule = IdempotencyKeys(redis), msgspec.structs.replace(RULE, tenant_keys=1000, tenant_bytes=1 << 20)
    for number in range(150):
        await _carried_out(keys, _slot(f"k{number:03}"), rule, b"x")
    await _pass_time(redis, _slot("k149"))
    await _carried_out(keys, _slot("k149"), rule, b"x")
    # A hundred of the expired ones have been taken away, and the one in whose place it came was not of them.
    there = await redis.execute("ZRANGE", _slot("").room("answers"), 0, -1)
    assert len(there) == 50
    counted = int(await redis.execute("GET", _slot("").room("bytes")))
    assert counted == sum(int(each.partition(b":")[0]) for each in there)
