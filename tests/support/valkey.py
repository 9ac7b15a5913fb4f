"""Fixtures with a real Valkey: one server a test process, emptied for each test that asks for `redis`."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.redis_client import Redis
from shared.valkey import EmbeddedValkey


@pytest.fixture(scope="session")
def valkey() -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey()
    with tempfile.TemporaryDirectory(prefix="gs-") as directory:
        asyncio.run(server.start(Path(directory), fsync="everysec"))
        try:
            yield server
        finally:
            asyncio.run(server.stop())


async def emptied(redis: str) -> None:
    """What earlier tests of this process have left there is gone: for what is opened for a whole module."""
    connection = await Redis.connect(redis)
    await connection.execute("FLUSHALL")
    await connection.close()


@pytest.fixture
async def redis(valkey: EmbeddedValkey) -> AsyncIterator[Redis]:
    redis = await Redis.connect(valkey.url)
    await redis.execute("FLUSHALL")
    yield redis
    await redis.close()
