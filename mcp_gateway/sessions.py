"""Sessions with clients of the session era: minted here, kept in Redis, useful to nobody but whoever began
them.
"""

import secrets

import msgspec
from msgspec import Raw, Struct

from mcp_gateway.capabilities import NONE
from mcp_gateway.surfaces import Surface
from shared.errors import NotFound
from shared.identity.principal import Caller
from shared.redis_client import Redis

_ID_BYTES = 32
_LONGEST_ID = 64


class Session(Struct, frozen=True):
    """`who` is everything that tells one caller from another and stays the same from one chain to
    the next.
    """

    id: str
    who: tuple[str, ...]
    place: str
    version: str
    level: str = ""
    capabilities: bytes = bytes(NONE)

    @property
    def tenant(self) -> str:
        return self.who[0]


class Sessions:
    """`seconds` is how long a session lives that nobody uses."""

    def __init__(self, redis: Redis, seconds: int) -> None:
        self._redis = redis
        self._seconds = seconds

    async def begin(self, caller: Caller, surface: Surface, version: str, capabilities: Raw) -> Session:
        session = Session(
            id=secrets.token_urlsafe(_ID_BYTES),
            who=_who(caller),
            place=surface.place,
            version=version,
            capabilities=bytes(capabilities),
        )
        await self._keep(caller, session)
        return session

    async def find(self, session_id: str, caller: Caller, surface: Surface) -> Session:
        """The caller's own session on this endpoint. Raises NotFound for any other, as if there were none."""
        found = None
        if len(session_id) <= _LONGEST_ID:
            found = await self._redis.execute("GETEX", _key(caller, session_id), "EX", self._seconds)
        session = _decoded(found) if found else None
        if session is None or session.who != _who(caller) or session.place != surface.place:
            raise NotFound("there is no such session: begin a new one with initialize")
        return session

    async def set_level(self, session: Session, caller: Caller, level: str) -> None:
        await self._keep(caller, msgspec.structs.replace(session, level=level))

    async def touch(self, session: Session) -> bool:
        """Keeps it alive; False where it has ended."""
        key = f"gs:{{{session.tenant}}}:mcp:session:{session.id}"
        return bool(await self._redis.execute("EXPIRE", key, self._seconds))

    async def end(self, session: Session, caller: Caller) -> None:
        await self._redis.execute("DEL", _key(caller, session.id))

    async def _keep(self, caller: Caller, session: Session) -> None:
        value = msgspec.msgpack.encode(session)
        await self._redis.execute("SET", _key(caller, session.id), value, "EX", self._seconds)


def _decoded(value: bytes) -> Session | None:
    try:
        return msgspec.msgpack.decode(value, type=Session)
    except msgspec.DecodeError:
        # Another release wrote it: its client begins anew.
        return None


def owner_of(caller: Caller) -> tuple[str, ...]:
    """Whose session with an upstream a call travels in."""
    return _who(caller)


def _who(caller: Caller) -> tuple[str, ...]:
    return (caller.principal.tenant, caller.principal.sub, *caller.actors)


def _key(caller: Caller, session_id: str) -> str:
    return f"gs:{{{caller.principal.tenant}}}:mcp:session:{session_id}"
