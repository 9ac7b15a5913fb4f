"""Limits while Redis is gone, and after it was killed."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from shared.background import cancelled
from shared.clock import Clock
from shared.errors import LimitExceeded, Unavailable
from shared.identity.principal import ChainBudget
from shared.limits.limiter import Limiter
from shared.limits.plan import Estimate
from shared.limits.rule import LimitRule
from shared.redis_client import Redis
from shared.valkey import EmbeddedValkey
from tests.shared.limits.calls import limit, reserve, settle
from tests.support.wait import eventually

LENIENT = LimitRule(name="lenient", per="team", unit="tokens", amount=1000, window="month", on_outage="allow")
MODEL_CALL = Estimate(tokens_out=100, model_calls=1)


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[EmbeddedValkey]:
    """A server that the test may stop and kill."""
    valkey = EmbeddedValkey()
    await valkey.start(tmp_path, fsync="always")
    yield valkey
    await valkey.stop()


@pytest.fixture
async def client(own: EmbeddedValkey) -> AsyncIterator[Redis]:
    redis = await Redis.connect(own.url)
    yield redis
    await redis.close()


async def answers(redis: Redis) -> bool:
    with contextlib.suppress(Unavailable):
        return bool(await redis.execute("PING") == b"PONG")
    return False


async def test_without_redis_a_call_passes_only_if_all_its_limits_say_so(
    own: EmbeddedValkey, client: Redis
) -> None:
    limiter = Limiter(client, Clock())
    await own.stop()
    assert not (await reserve(limiter, [LENIENT], MODEL_CALL)).reserved
    assert not (await reserve(limiter, [], MODEL_CALL)).reserved
    with pytest.raises(Unavailable):
        await reserve(limiter, [LENIENT, limit(5)], MODEL_CALL)


async def test_without_redis_a_budget_or_taint_is_never_passed_over(
    own: EmbeddedValkey, client: Redis
) -> None:
    limiter = Limiter(client, Clock())
    await own.stop()
    with pytest.raises(Unavailable):
        await reserve(limiter, [LENIENT], MODEL_CALL, budget=ChainBudget(tool_calls=5))
    with pytest.raises(Unavailable):
        await reserve(limiter, [LENIENT], MODEL_CALL, taint=["reads:private"])
    with pytest.raises(Unavailable):
        await limiter.state("acme", "c")
    with pytest.raises(Unavailable):
        await settle(limiter, None)


async def test_a_server_that_refuses_the_scripts_counts_as_gone(redis: Redis) -> None:
    limiter = Limiter(redis, Clock())
    await redis.execute("SET", "gs:{acme}:due", "not what it should be")
    await redis.execute("SET", "gs:{acme}:ledger", "nor this")
    with pytest.raises(Unavailable):
        await reserve(limiter, [limit(5)])
    assert not (await reserve(limiter, [LENIENT], MODEL_CALL)).reserved
    with pytest.raises(Unavailable):
        await settle(limiter, None)


async def test_what_a_call_used_that_passed_uncounted_is_booked_when_redis_is_back(
    own: EmbeddedValkey, client: Redis, tmp_path: Path
) -> None:
    limiter = Limiter(client, Clock())
    await settle(limiter, await reserve(limiter, [LENIENT], MODEL_CALL, chain="c"), MODEL_CALL)
    await own.stop()
    lease = await reserve(limiter, [LENIENT], MODEL_CALL, chain="c")
    await own.start(tmp_path)
    await eventually(lambda: answers(client), "the client is back")
    for _ in range(2):
        await settle(limiter, lease, Estimate(tokens_out=850, model_calls=1))
    state = await limiter.state("acme", "c")
    assert (state.tokens, state.model_calls) == (950, 2)
    with pytest.raises(LimitExceeded, match="50 left"):
        await reserve(limiter, [LENIENT], MODEL_CALL)


async def test_a_call_without_a_counter_that_passed_uncounted_makes_one_that_ends(
    own: EmbeddedValkey, client: Redis, tmp_path: Path
) -> None:
    limiter = Limiter(client, Clock())
    await own.stop()
    lease = await reserve(limiter, [LENIENT], MODEL_CALL)
    await own.start(tmp_path)
    await eventually(lambda: answers(client), "the client is back")
    await settle(limiter, lease, MODEL_CALL)
    [key] = await client.execute("KEYS", "gs:{acme}:l:*")
    assert await client.execute("GET", key) == b"100"
    assert await client.execute("TTL", key) > 0


async def test_a_tenant_is_registered_again_after_a_reconnection(
    own: EmbeddedValkey, client: Redis, tmp_path: Path
) -> None:
    limiter = Limiter(client, Clock())
    await settle(limiter, None)
    await client.execute("FLUSHALL")  # a server that came back empty
    await own.stop()
    await own.start(tmp_path)
    await eventually(lambda: answers(client), "the client is back")
    await settle(limiter, None, row=b"next")
    assert await client.execute("SMEMBERS", "gs:tenants") == [b"acme"]


async def test_a_killed_server_comes_back_with_every_row_and_count_it_acknowledged(
    own: EmbeddedValkey, client: Redis
) -> None:
    limiter = Limiter(client, Clock())
    watching = asyncio.create_task(own.watch())
    rules, call = [limit(100_000)], Estimate(tokens_out=1, model_calls=1)
    acknowledged: set[bytes] = set()

    async def work(worker: int) -> None:
        with contextlib.suppress(Unavailable):
            for n in range(5000):
                row = msgspec.json.encode({"worker": worker, "n": n})
                lease = await reserve(limiter, rules, call, chain="c")
                await limiter.settle(lease, call, tenant="acme", row=row, hash=sha256(row).digest())
                acknowledged.add(row)

    workers = [asyncio.create_task(work(worker)) for worker in range(8)]
    await eventually(lambda: len(acknowledged) > 200, "work is under way")
    info = (await client.execute("INFO", "server")).decode()
    os.kill(int(info.partition("process_id:")[2].split()[0]), signal.SIGKILL)
    await asyncio.gather(*workers)
    await eventually(lambda: answers(client), "the server is back")

    stream = await client.execute("XRANGE", "gs:{acme}:ledger", "-", "+")
    kept = [fields[1] for _, fields in stream]
    assert len(kept) == len(set(kept))
    assert acknowledged <= set(kept)
    # Each worker may have had one call under way that was written but never answered, or only reserved.
    assert len(kept) <= (await limiter.state("acme", "c")).tokens <= len(acknowledged) + len(workers)
    await reserve(limiter, rules, call)
    await cancelled(watching)
