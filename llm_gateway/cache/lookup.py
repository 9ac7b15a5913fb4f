"""The stage: has this been answered already? A miss remembers under which names the answer is to be kept.

A cache that cannot be reached is a cache that knows nothing: the call goes on.
"""

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from llm_gateway.cache import stored
from llm_gateway.cache.config import CacheSection, SemanticSection
from llm_gateway.cache.controls import Controls, controls
from llm_gateway.cache.key import Names
from llm_gateway.cache.place import Place
from llm_gateway.cache.stored import Stored
from llm_gateway.call import Call
from llm_gateway.catalog import Model
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.relay import Keep
from shared.account import Flight
from shared.asgi import Exchange
from shared.clock import Clock
from shared.errors import Unavailable
from shared.http_client import HttpClient
from shared.policy import Grant
from shared.policy.glob import covers
from shared.redis_client import Redis, RedisError, Script

if TYPE_CHECKING:
    from llm_gateway.cache.similar import Similar

_GONE = (Unavailable, RedisError)
_UNKEPT = frozenset(("n", "logprobs", "top_logprobs", "audio", "modalities"))
_SEVERAL = re.compile(rb'"(?:candidate_?[Cc]ount|response_?[Ll]ogprobs|response_?[Mm]odalities)"')
# What a model broke off for reasons of the moment is not what it has to say.
_WHOLE = frozenset((Stop.END, Stop.SEQUENCE, Stop.TOOLS, Stop.LENGTH))
_KEEP = Script(
    """
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if KEYS[2] then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'kept', ARGV[4])
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
"""
)


class Found(Struct, frozen=True):
    """At most one of the two: an answer, or the place for the one that is to come."""

    stored: Stored | None = None
    place: Place | None = None


_NOTHING = Found()


class Cache:
    def __init__(self, section: CacheSection | None, redis: Redis, http: HttpClient, clock: Clock) -> None:
        self._section = section
        self._redis = redis
        self._clock = clock
        self._similar = _similar(section.semantic, redis, http) if section and section.semantic else None

    async def find(self, exchange: Exchange, flight: Flight, grant: Grant, model: Model, call: Call) -> Found:
        """Raises BadRequest when the caller's own wishes about keeping make no sense."""
        section = self._section
        if section is None or call.pin or model.acts:
            return _NOTHING
        if not any(covers(pattern, model.name) for pattern in section.models):
            return _NOTHING
        if not _UNKEPT.isdisjoint(call.ask.spans) or _SEVERAL.search(call.ask.body):
            # The neutral form has no place for what they ask for, and what is kept is in that form.
            flight.entry.cache = "bypass"
            return _NOTHING
        wishes = controls(exchange)
        flight.entry.cache = "miss" if wishes.serve else "bypass"
        names = Names(grant, model, section.share, call.inspection.sections)
        try:
            name = names.exact(call.ask, call.spoken.name)
        except (ValueError, RecursionError):
            # Whether a request can be understood is for the provider to say that gets it.
            flight.entry.cache = "bypass"
            return _NOTHING
        place = Place(
            name=name,
            ttl=min(wishes.ttl or section.ttl_seconds, section.ttl_seconds),
        )
        try:
            return await self._find(flight, wishes, names, place, call)
        except _GONE:
            flight.entry.cache = "unavailable"
            return _NOTHING

    def keepers(self, place: Place | None, flight: Flight) -> tuple[Keep, ...]:
        """What to do with the reply once it is whole."""
        if place is None:
            return ()

        async def keep(reply: Reply) -> None:
            if reply.stop in _WHOLE:
                self._keep(place, reply, flight)

        return (keep,)

    async def _find(self, flight: Flight, wishes: Controls, names: Names, place: Place, call: Call) -> Found:
        if wishes.serve and (known := await self._get(place.name, wishes)) is not None:
            flight.entry.cache = "hit"
            return Found(stored=known)
        if self._similar is not None:
            answer, place = await self._similar.nearest(names, place, call, serve=wishes.serve)
            if answer and (known := await self._get(answer, wishes)) is not None:
                flight.entry.cache = "semantic"
                return Found(stored=known)
        return Found(place=place if wishes.keep else None)

    async def _get(self, name: str, wishes: Controls) -> Stored | None:
        data = await self._redis.execute("GET", name)
        found = stored.decode(data) if data is not None else None
        if found is None or (wishes.max_age is not None and self._clock.now() - found.at > wishes.max_age):
            return None
        return found

    def _keep(self, place: Place, reply: Reply, flight: Flight) -> None:
        """Sent on its way and not waited for: the caller's last byte is."""
        assert self._section is not None
        entry = flight.entry
        answer = Stored(
            reply, self._clock.now(), entry.cost_micros, entry.upstream_us, entry.model, entry.provider
        )
        try:
            data = stored.encode(answer)
        except (OverflowError, RecursionError):
            # It holds what cannot be kept, like a number of a hundred digits.
            return
        if len(data) > self._section.max_reply_bytes:
            return
        keys: list[str | bytes] = [place.name]
        arguments: list[bytes | str | int] = [data, place.ttl * 1000]
        if place.like:
            keys.append(place.like)
            arguments += [place.most, place.kept]
        self._redis.post(_KEEP, keys, arguments)


def _similar(section: SemanticSection, redis: Redis, http: HttpClient) -> "Similar":
    # Vectors need libraries that take tens of megabytes: only for those who want them.
    from llm_gateway.cache.similar import Similar

    return Similar(section, redis, http)
