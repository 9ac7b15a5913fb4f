"""What most tests of the gateway stand on: a provider, and an opened gateway in front of it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from shared.redis_client import Redis
from shared.valkey import EmbeddedValkey
from tests.llm_gateway.gateway import Gateway, gateway
from tests.support.providers import ScriptedProvider
from tests.support.valkey import redis, valkey

__all__ = ["redis", "valkey"]

Open = Callable[..., AbstractAsyncContextManager[Gateway]]


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as provider:
        yield provider


@pytest.fixture
async def second() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as provider:
        yield provider


@pytest.fixture
def opened(tmp_path: Path, valkey: EmbeddedValkey, redis: Redis) -> Open:
    """Opens a gateway: `async with opened(provider, limits=[…]) as gateway`."""
    return partial(gateway, tmp_path, valkey.url)


@pytest.fixture
async def plain(opened: Open, provider: ScriptedProvider) -> AsyncIterator[Gateway]:
    """A gateway with nothing special, in front of `provider`."""
    async with opened(provider) as gateway:
        yield gateway
