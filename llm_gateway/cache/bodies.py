"""Answers of other endpoints than chat that are the same each time, kept as the bytes that callers get. The
same rules hold as for chats: who may be given what, and what a caller may wish.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from llm_gateway.cache.config import CacheSection
from llm_gateway.cache.controls import Controls, controls
from llm_gateway.cache.key import Names
from llm_gateway.cache.place import Place
from llm_gateway.catalog import Model
from llm_gateway.endpoints.endpoint import Endpoint, Inquiry
from llm_gateway.router.section import MAIN
from shared.account import Flight
from shared.asgi import Exchange
from shared.clock import Clock
from shared.errors import Unavailable
from shared.guards.section import GuardSection
from shared.policy import Grant
from shared.policy.glob import covers
from shared.redis_client import Redis, RedisError, Script

_GONE = (Unavailable, RedisError)
_KEEP = Script("redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])")


class KeptBody(Struct, frozen=True, array_like=True):
    """`at` in seconds since 1970. What it cost and took is what its next readers save."""

    body: bytes
    at: float
    cost_micros: int
    upstream_us: int
    model: str
    provider: str


class FoundBody(Struct, frozen=True):
    """At most one of the two: an answer, or the place for the one that is to come."""

    kept: KeptBody | None = None
    place: Place | None = None


_NOTHING = FoundBody()
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(KeptBody).decode


class BodyCache:
    def __init__(self, section: CacheSection | None, redis: Redis, clock: Clock) -> None:
        self._section = section
        self._redis = redis
        self._clock = clock

    async def find(
        self,
        exchange: Exchange,
        flight: Flight,
        grant: Grant,
        model: Model,
        endpoint: Endpoint,
        inquiry: Inquiry,
        guards: Sequence[GuardSection],
        group: str,
    ) -> FoundBody:
        """`group` is who it would be asked: another model's vectors are no answer to those who use this one.
        Raises BadRequest when the caller's own wishes about keeping make no sense.
        """
        section, entry = self._section, flight.entry
        if section is None or not inquiry.lasting:
            return _NOTHING
        if not any(covers(pattern, model.name) for pattern in section.models):
            return _NOTHING
        wishes = controls(exchange)
        entry.cache = "miss" if wishes.serve else "bypass"
        asked = msgspec.structs.replace(inquiry, body=inquiry.lasting)
        try:
            spoken = endpoint.paths[0] if group == MAIN else f"{endpoint.paths[0]} {group}"
            name = Names(grant, model, section.share, guards).exact(asked, spoken)
        except (ValueError, RecursionError):
            # Whether a request can be understood is for the provider to say that gets it.
            entry.cache = "bypass"
            return _NOTHING
        ttl = min(wishes.ttl or section.ttl_seconds, section.ttl_seconds)
        try:
            known = await self._get(name, wishes) if wishes.serve else None
        except _GONE:
            entry.cache = "unavailable"
            return _NOTHING
        if known is not None:
            entry.cache = "hit"
            return FoundBody(kept=known)
        return FoundBody(place=Place(name=name, ttl=ttl) if wishes.keep else None)

    def keep(self, place: Place | None, body: bytes, flight: Flight) -> None:
        """Sent on its way and not waited for."""
        if place is None or self._section is None or not body or len(body) > self._section.max_reply_bytes:
            return
        entry = flight.entry
        kept = KeptBody(
            body, self._clock.now(), entry.cost_micros, entry.upstream_us, entry.model, entry.provider
        )
        self._redis.post(_KEEP, [place.name], [_pack(kept), place.ttl * 1000])

    async def _get(self, name: str, wishes: Controls) -> KeptBody | None:
        data = await self._redis.execute("GET", name)
        try:
            found = _unpack(data) if data is not None else None
        except msgspec.MsgspecError:
            # Another release has left something that this one does not know.
            return None
        if found is None or (wishes.max_age is not None and self._clock.now() - found.at > wishes.max_age):
            return None
        return found
