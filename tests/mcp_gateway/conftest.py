"""What most tests of the gateway stand on: MCP servers, and an opened gateway in front of them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from shared.redis_client import Redis
from shared.valkey import EmbeddedValkey
from tests.mcp_gateway.gateway import Gateway, gateway, http
from tests.support.mcp_rogue import Rogue
from tests.support.mcp_servers import Seen, tool_server
from tests.support.mcp_telling import Telling
from tests.support.serve import serving
from tests.support.valkey import redis, valkey

__all__ = ["redis", "valkey"]

Open = Callable[..., AbstractAsyncContextManager[Gateway]]


@pytest.fixture
def opened(tmp_path: Path, valkey: EmbeddedValkey, redis: Redis) -> Open:
    """Opens a gateway: `async with opened({"one": http(url)}, limits=[…]) as gateway`."""
    return partial(gateway, tmp_path, valkey.url)


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def one(seen: Seen) -> AsyncIterator[str]:
    """An official server of both eras; its address."""
    async with serving(tool_server("one", seen).streamable_http_app()) as url:
        yield url


@pytest.fixture
async def two() -> AsyncIterator[str]:
    async with serving(tool_server("two").streamable_http_app()) as url:
        yield url


@pytest.fixture
async def plain(opened: Open, one: str) -> AsyncIterator[Gateway]:
    """A gateway with nothing special, in front of `one`."""
    async with opened({"one": http(one)}) as gateway:
        yield gateway


@pytest.fixture
async def rogue() -> AsyncIterator[tuple[Rogue, str]]:
    """A server that does what none should, of the stateless era; and its address."""
    server = Rogue()
    async with serving(server) as url:
        yield server, url


@pytest.fixture
async def legacy_rogue() -> AsyncIterator[tuple[Rogue, str]]:
    server = Rogue(legacy=True)
    async with serving(server) as url:
        yield server, url


@pytest.fixture
async def telling() -> AsyncIterator[tuple[Telling, str]]:
    server = Telling()
    async with serving(server) as url:
        yield server, url
