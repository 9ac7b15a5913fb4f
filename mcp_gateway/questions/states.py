"""What a client of the stateless era gets to hold while it is asked: a handle, good for its principal and the
same call at the same server, and for nothing else. What it stands for stays here.
"""

import hashlib
import secrets

import msgspec
from msgspec import Raw, Struct

from mcp_gateway.ask import Ask
from mcp_gateway.questions.wording import RESPONSES, STATE
from mcp_gateway.sessions import owner_of
from shared import jsonrpc
from shared.errors import BadRequest, UpstreamBroken
from shared.identity.principal import Caller
from shared.redis_client import Redis

_BYTES = 32
_LONGEST_HANDLE = 64
_SECONDS = 3600
_LARGEST = 65_536


class Held(Struct, frozen=True):
    """`state` is what the server wants back, as it wrote it; `address` where the call itself waits. Without
    both the call begins anew.
    """

    who: tuple[str, ...]
    call: str
    server: str
    state: bytes = b""
    address: str = ""


class States:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def keep(
        self, ask: Ask, caller: Caller, server: str, *, state: bytes = b"", address: str = ""
    ) -> str:
        """A new handle. Raises UpstreamBroken for a state that is too large, Unavailable."""
        if len(state) > _LARGEST:
            raise UpstreamBroken(f"the MCP server {server!r} wants more than {_LARGEST} bytes remembered")
        held = Held(owner_of(caller), _digest(ask), server, state, address)
        handle = secrets.token_urlsafe(_BYTES)
        await self._redis.execute("SET", _key(caller, handle), msgspec.msgpack.encode(held), "EX", _SECONDS)
        return handle

    async def find(self, ask: Ask, caller: Caller, server: str) -> Held | None:
        """What the handle in this call stands for; None where it has none. Raises BadRequest for one that is
        not this caller's, or of another call.
        """
        if STATE not in ask.params:
            return None
        try:
            handle = msgspec.json.decode(ask.params[STATE], type=str)
        except msgspec.DecodeError:
            handle = ""
        found = None
        if 0 < len(handle) <= _LONGEST_HANDLE:
            found = await self._redis.execute("GET", _key(caller, handle))
        held = _decoded(found) if found else None
        if held is None or (held.who, held.call, held.server) != (owner_of(caller), _digest(ask), server):
            raise BadRequest(
                f"params.{STATE} is not of this call, or too old: call again without it",
                code=jsonrpc.INVALID_PARAMS,
            )
        return held


def _decoded(value: bytes) -> Held | None:
    try:
        return msgspec.msgpack.decode(value, type=Held)
    except msgspec.DecodeError:
        return None


def _digest(ask: Ask) -> str:
    """One call, however its JSON is written."""
    said = {name: raw for name, raw in ask.params.items() if name not in (RESPONSES, STATE)}
    plain = msgspec.json.decode(msgspec.json.encode(said))
    whole = msgspec.json.encode([ask.surface.place, ask.method.name, plain], order="deterministic")
    return hashlib.sha256(whole).hexdigest()


def _key(caller: Caller, handle: str) -> str:
    return f"gs:{{{caller.principal.tenant}}}:mcp:state:{handle}"


def answers(ask: Ask) -> dict[str, Raw]:
    """What the client answers, by the keys it was asked under. Raises BadRequest."""
    try:
        return msgspec.json.decode(ask.params.get(RESPONSES, Raw(b"{}")), type=dict[str, Raw])
    except msgspec.DecodeError:
        raise BadRequest(f"params.{RESPONSES} must be an object", code=jsonrpc.INVALID_PARAMS) from None
