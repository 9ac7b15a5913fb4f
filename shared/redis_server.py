"""The Redis that a process works with: an embedded one that is started with it, or the one that is
configured.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from shared.config import StateSection
from shared.errors import Unavailable
from shared.redis_client import Redis, RedisError
from shared.state_address import redis_address
from shared.valkey import EmbeddedValkey

_ATTEMPTS = 50
# Runs work under a name until the process ends.
Background = Callable[[Coroutine[Any, Any, None], str], None]


async def open_redis(
    state: StateSection, state_dir: Path, stack: contextlib.AsyncExitStack, background: Background
) -> Redis:
    """`stack` closes what is opened. Raises Unavailable when it cannot be reached, or is of no use to us."""
    redis = await _connect(await _address(state, state_dir, stack, background))
    stack.push_async_callback(redis.close)
    await _refuse_cluster(redis)
    return redis


async def _address(
    state: StateSection, state_dir: Path, stack: contextlib.AsyncExitStack, background: Background
) -> str:
    if state.redis != "embedded":
        return redis_address(state)
    valkey = EmbeddedValkey()
    await valkey.start(state_dir, fsync=state.fsync)
    stack.push_async_callback(valkey.stop)
    background(valkey.watch(), "valkey")
    return valkey.url


async def _connect(url: str) -> Redis:
    """A server that is started beside us may come up after us: it is waited for, for a bounded time."""
    for attempt in range(_ATTEMPTS):
        try:
            return await Redis.connect(url)
        except Unavailable:
            if attempt == _ATTEMPTS - 1:
                raise
            await asyncio.sleep(0.2)
    raise AssertionError


async def _refuse_cluster(redis: Redis) -> None:
    """Raises Unavailable before a server in cluster mode: our scripts touch keys of several slots."""
    try:
        told: bytes = await redis.execute("INFO", "cluster")
    except RedisError:
        return  # not for us to see; the scripts would be refused, and say so
    if b"cluster_enabled:1" in told:
        raise Unavailable(
            "state.redis is in cluster mode, which Gatestack cannot use: name a single server there "
            "(with replicas and failover, if you like)"
        )
