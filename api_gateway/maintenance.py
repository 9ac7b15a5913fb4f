"""Routes that are out of service for a while: by the configuration, or by an operator's word, which all edges
on one Redis hear.
"""

import asyncio
import logging
from collections.abc import Collection
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from api_gateway.gateways import ROUTES
from shared.errors import Unavailable
from shared.redis_client import Redis

EVERYTHING = "*"
_KEY = "gs:maintenance"
_LOOK_SECONDS = 1.0
_LOG = logging.getLogger("gatestack")  # noqa: TID251  no request is near


class Maintenance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`routes` are names (`*` is all of them); callers are told `message`, and to come back then."""

    routes: list[str] = []
    message: Annotated[str, Meta(max_length=500)] = "out of service for maintenance"
    retry_after_seconds: Annotated[int, Meta(ge=1, le=86_400)] = 60

    def covers(self, route: str) -> bool:
        return EVERYTHING in self.routes or route in self.routes


def problems(path: str, rule: Maintenance, routes: Collection[str]) -> list[str]:
    """What is wrong with a rule, as `path: problem`."""
    known = {EVERYTHING, *ROUTES, *routes}
    return [
        f"{path}.routes[{place}]: there is no route {name!r}"
        for place, name in enumerate(rule.routes)
        if name not in known
    ]


class MaintenanceBoard:
    """What is configured and what has been said; either puts a route out of service."""

    def __init__(self, configured: Maintenance, redis: Redis) -> None:
        self.said = Maintenance()
        self._configured = configured
        self._redis = redis

    @property
    def any(self) -> bool:
        return bool(self.said.routes or self._configured.routes)

    def check(self, route: str) -> None:
        """Raises Unavailable."""
        for found in (self.said, self._configured):
            if found.covers(route):
                raise Unavailable(found.message, retry_after=found.retry_after_seconds)

    async def say(self, wanted: Maintenance) -> None:
        """Replaces what was said before; without routes all are in service again. Raises Unavailable."""
        await self._redis.execute("SET", _KEY, msgspec.json.encode(wanted))
        self.said = wanted

    async def hear(self) -> None:
        """Takes up the last word. Raises Unavailable, msgspec.DecodeError."""
        found = await self._redis.execute("GET", _KEY)
        self.said = msgspec.json.decode(found, type=Maintenance) if found else Maintenance()

    async def follow(self) -> None:
        """Hears what is said at other edges, until cancelled. While Redis is gone the last word stands."""
        while True:
            try:
                await self.hear()
            except (Unavailable, msgspec.DecodeError) as error:
                _LOG.debug("what is out of service is not known anew: %s", error)
            await asyncio.sleep(_LOOK_SECONDS)
