"""What users have allowed at servers' authorization servers, one record a user and server, sealed in
Redis.
"""

import msgspec
from msgspec import Struct

from mcp_gateway.credentials.credential import Owner
from shared.identity.sealed import SealBroken, Sealer
from shared.redis_client import Redis, Script

_PURPOSE = "user grant"
_REPLACE = Script(
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end redis.call('SET', KEYS[1], ARGV[2]) return 1"
)
_REMOVE = Script(
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end return redis.call('DEL', KEYS[1])"
)


class UserGrant(Struct, frozen=True, kw_only=True):
    """`issuer` gave it, to the client `client_id`; nobody else is ever shown its refresh token. Times in
    seconds since 1970.
    """

    access: str
    refresh: str
    expires_at: float
    scopes: tuple[str, ...]
    issuer: str
    client_id: str
    granted_at: float

    def __repr__(self) -> str:
        return f"UserGrant(issuer={self.issuer!r}, scopes={self.scopes})"


class Held(Struct, frozen=True):
    """A grant and how it lies in the store, for whoever wants to replace exactly this one."""

    grant: UserGrant
    sealed: bytes


class UserGrants:
    def __init__(self, redis: Redis, sealer: Sealer) -> None:
        self._redis = redis
        self._sealer = sealer

    async def find(self, server: str, owner: Owner) -> Held | None:
        """None where there is none, or none that can be opened here. Raises Unavailable.

        One that an older key had sealed is sealed anew.
        """
        sealed = await self._redis.execute("GET", key_of(server, owner))
        if sealed is None:
            return None
        try:
            opened = self._sealer.open(sealed, *_place(server, owner))
            grant = msgspec.msgpack.decode(opened.plain, type=UserGrant)
        except (SealBroken, msgspec.DecodeError):
            return None
        held = Held(grant, sealed)
        if opened.stale:
            return await self.replace(server, owner, held, grant) or held
        return held

    async def keep(self, server: str, owner: Owner, grant: UserGrant) -> None:
        await self._redis.execute("SET", key_of(server, owner), self._sealed(server, owner, grant))

    async def replace(self, server: str, owner: Owner, held: Held, grant: UserGrant) -> Held | None:
        """Puts `grant` where `held` lies; None, and nothing done, when something else lies there by now."""
        sealed = self._sealed(server, owner, grant)
        done = await self._redis.run(_REPLACE, [key_of(server, owner)], [held.sealed, sealed])
        return Held(grant, sealed) if done else None

    async def remove(self, server: str, owner: Owner, held: Held) -> bool:
        """Forgets exactly what is held."""
        return bool(await self._redis.run(_REMOVE, [key_of(server, owner)], [held.sealed]))

    def _sealed(self, server: str, owner: Owner, grant: UserGrant) -> bytes:
        return self._sealer.seal(msgspec.msgpack.encode(grant), *_place(server, owner))


def key_of(server: str, owner: Owner) -> str:
    """Of the user, whoever acts for them. Ids of servers have no colon: no two users share a key."""
    return f"gs:{{{owner[0]}}}:mcp:grant:{server}:{owner[1]}"


def turn_of(server: str, owner: Owner) -> str:
    """The name under which a grant is renewed by one at a time."""
    return f"gs:{{{owner[0]}}}:mcp:renewal:{server}:{owner[1]}"


def _place(server: str, owner: Owner) -> tuple[str, ...]:
    return (_PURPOSE, owner[0], owner[1], server)
