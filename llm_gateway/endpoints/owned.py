"""Whose file or batch is it? Ids are handed out here and mean nothing to a provider; behind each stands, in
Redis, who caused it and what the provider calls it.

An id belongs to one tenant and one path of principals, and to whoever stands earlier on that path. To
everybody else it looks like one that does not exist.
"""

import re
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from shared.clock import Clock
from shared.errors import NotFound
from shared.identity.principal import Caller
from shared.ledger.entry import new_id
from shared.limits.keys import encoded, tenant_keys
from shared.redis_client import Redis

Kind = Literal["file", "batch"]
_SPELLING = {"file": "file-", "batch": "batch_"}
_ID = re.compile(r"(?:file-|batch_)[0-9a-f]{26}")
_AT_ONCE = 100


class Lines(Struct, frozen=True, kw_only=True):
    """What the requests of a batch's file are about: whose models (by their names here), at which path, and
    what they may use.
    """

    url: str
    models: tuple[str, ...]
    count: int
    tokens_in: int
    tokens_out: int
    micros: int


class Held(Struct, frozen=True, kw_only=True):
    """`shown` is the object as its owner sees it; `lines` is there for batches and for files made for one."""

    id: str
    actors: tuple[str, ...]
    provider: str
    upstream: str
    shown: Raw
    purpose: str = ""
    lines: Lines | None = None

    def admits(self, caller: Caller) -> bool:
        return self.actors[: len(caller.actors)] == caller.actors


_HELD = msgspec.json.Decoder(Held)


class Owned:
    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    async def put(self, caller: Caller, kind: Kind, held: Held, *, expires_at: int | None = None) -> None:
        """Raises Unavailable."""
        key = _key(caller, kind, held.id)
        expiry = () if expires_at is None else ("EXAT", expires_at)
        await self._redis.execute("SET", key, msgspec.json.encode(held), *expiry)
        await self._redis.execute("ZADD", _index(caller, kind), "NX", self._clock.now_us(), held.id)

    async def get(self, caller: Caller, kind: Kind, name: str) -> Held:
        """Raises NotFound for what is not there and for what is another's, Unavailable."""
        if spelled(kind, name):
            value = await self._redis.execute("GET", _key(caller, kind, name))
            held = _HELD.decode(value) if value is not None else None
            if held is not None and held.admits(caller):
                return held
        raise missing(kind, name)

    async def known(self, caller: Caller, kind: Kind, names: Sequence[str]) -> dict[str, Held]:
        """Those of the `names`, all spelled well, that the caller has. Raises Unavailable."""
        found = await self._several(caller, kind, names)
        return {held.id: held for held in found if held.admits(caller)}

    async def drop(self, caller: Caller, kind: Kind, held: Held) -> None:
        await self._redis.execute("DEL", _key(caller, kind, held.id))
        await self._redis.execute("ZREM", _index(caller, kind), held.id)

    async def first(self, caller: Caller, kind: Kind, held: Held, what: str) -> bool:
        """Whether `what` has not been done for `held` before; from now on it has."""
        key = f"{_key(caller, kind, held.id)}:{what}"
        return await self._redis.execute("SET", key, "1", "NX", "EX", 90 * 86_400) is not None

    async def page(
        self, caller: Caller, kind: Kind, *, after: str, limit: int, oldest_first: bool, purpose: str = ""
    ) -> tuple[list[Held], bool]:
        """The caller's own after the id `after`, at most `limit` of them, and whether there are more."""
        index = _index(caller, kind)
        command = "ZRANGE" if oldest_first else "ZREVRANGE"
        ids = [name.decode() for name in await self._redis.execute(command, index, 0, -1)]
        start = ids.index(after) + 1 if after in ids else 0
        found: list[Held] = []
        for at in range(start, len(ids), _AT_ONCE):
            for held in await self._several(caller, kind, ids[at : at + _AT_ONCE]):
                if held.admits(caller) and purpose in ("", held.purpose):
                    found.append(held)
                if len(found) > limit:
                    return found[:limit], True
        return found, False

    async def _several(self, caller: Caller, kind: Kind, ids: Sequence[str]) -> list[Held]:
        values = await self._redis.execute("MGET", *(_key(caller, kind, name) for name in ids))
        gone = [name for name, value in zip(ids, values, strict=True) if value is None]
        if gone:
            await self._redis.execute("ZREM", _index(caller, kind), *gone)
        return [_HELD.decode(value) for value in values if value is not None]


def fresh(kind: Kind) -> str:
    return _SPELLING[kind] + new_id()


def spelled(kind: Kind, name: str) -> bool:
    """Whether it could be an id of ours."""
    return _ID.fullmatch(name) is not None and name.startswith(_SPELLING[kind])


def missing(kind: Kind, name: str) -> NotFound:
    return NotFound(f"there is no {kind} {name[:64]!r} of yours", data={"code": f"{kind}_not_found"})


def _key(caller: Caller, kind: Kind, name: str) -> str:
    return f"{tenant_keys(caller.principal.tenant).prefix}{kind}:{name}"


def _index(caller: Caller, kind: Kind) -> str:
    return f"{tenant_keys(caller.principal.tenant).prefix}{kind}s:{encoded(caller.principal.sub)}"
