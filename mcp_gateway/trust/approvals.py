"""Tells the catalog when somebody, anywhere, has approved a tool or forgotten a pin: it looks again."""

from typing import Protocol

from shared.redis_client import Redis
from shared.tool_pins import CHANNEL


class Reader(Protocol):
    @property
    def servers(self) -> tuple[str, ...]: ...

    def decided(self, server: str) -> None: ...


async def obey_approvals(redis: Redis, catalog: Reader) -> None:
    """Runs until it is cancelled."""
    async with redis.subscribe(CHANNEL) as messages:
        async for message in messages:
            named = message.decode("utf-8", "replace")
            # An empty message means that others may have been missed.
            for server in catalog.servers if not named else (named,):
                if server in catalog.servers:
                    catalog.decided(server)
