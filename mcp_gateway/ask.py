"""What a client asks for, once its era's rules have been checked: the ticket that the later stages need."""

from typing import Any, Protocol

import msgspec
from msgspec import Raw, Struct

from mcp_gateway import meta
from mcp_gateway.capabilities import NONE
from mcp_gateway.meta import Members
from mcp_gateway.methods import KEYS, Kind, Method
from mcp_gateway.sessions import Session
from mcp_gateway.surfaces import Surface
from shared import jsonrpc
from shared.asgi import Exchange
from shared.errors import BadRequest
from shared.identity.principal import Caller
from shared.jsonrpc import Envelope

# Names are remembered with what policy said about them: nobody may fill that memory with few requests.
_LONGEST_NAME = 2048
_EMPTY_OBJECT = Raw(b"{}")
_REF_TYPES: dict[str, tuple[Kind, str]] = {
    "ref/prompt": ("prompt", "name"),
    "ref/resource": ("resource", "uri"),
}


class Era(Protocol):
    """How the clients of one era ask, and what answers have to look like for them."""

    stateless: bool

    async def read(self, exchange: Exchange, envelope: Envelope, caller: Caller, surface: Surface) -> "Ask":
        """Raises BadRequest, NotFound."""
        ...

    def listed(self, members: bytes, ttl_ms: bytes) -> bytes:
        """The result of a list of ours, of which `members` are the members that every era has."""
        ...

    def dressed(self, method: Method, result: bytes) -> bytes:
        """A result of an upstream or of ours, as this era's clients expect it. Raises UpstreamBroken."""
        ...


class Named(Struct, frozen=True):
    """The one item that a call is about, by the name that the client gave it, and what it is called with."""

    kind: Kind
    name: str
    arguments: dict[str, Any] = {}


class Ask(Struct, frozen=True, kw_only=True):
    """`params` go on as they are but for what they name; `meta` holds only keys that pass. `log_from` is
    the place in `LEVELS` from which on log messages are wanted, None for none at all. `wrapped`
    arguments are none of which the request's headers speak: they came inside of a call of `call_tool`, or
    guards have changed them.
    """

    era: Era
    method: Method
    surface: Surface
    id: Raw = jsonrpc.NULL
    params: Members = {}
    meta: Members = {}
    named: Named | None = None
    session: Session | None = None
    progress_token: Raw = Raw()
    log_from: int | None = None
    capabilities: Raw = NONE
    streams: bool = True
    wrapped: bool = False
    told: Envelope | None = None


def opened(envelope: Envelope) -> tuple[Members, Members]:
    """The parameters of a request and what stands in their `_meta`. Raises BadRequest."""
    params = _object(envelope.params, "params")
    return params, _object(params.pop("_meta", Raw()), "params._meta")


def named(method: Method, params: Members) -> Named | None:
    """What a call is about. Raises BadRequest where the name or the arguments are not what they must be."""
    if method.does == "pass":
        return Named("tool", method.name)
    if method.does not in ("call", "subscribe"):
        return None
    if method.completes:
        return _referenced(params)
    key = KEYS[method.kind]
    if bytes(params.get("arguments", Raw())) == b"null":
        del params["arguments"]
    arguments = _decoded(
        params.get("arguments", _EMPTY_OBJECT), dict[str, Any], "params.arguments", "an object"
    )
    return Named(method.kind, _text(params.get(key), f"params.{key}"), arguments)


def renamed(method: Method, params: Members, name: str) -> Members:
    """`params` with what they name called `name`."""
    if method.does == "pass":
        return params
    if method.completes:
        ref = meta.members(params["ref"])
        key = "uri" if "uri" in ref else "name"
        return params | {"ref": Raw(msgspec.json.encode(ref | {key: Raw(msgspec.json.encode(name))}))}
    return params | {KEYS[method.kind]: Raw(msgspec.json.encode(name))}


def token_of(found: Members) -> Raw:
    """The progress token of a request; empty without one. Raises BadRequest."""
    token = found.get(meta.PROGRESS_TOKEN, Raw())
    if bytes(token) and bytes(token)[:1] not in b'"-0123456789':
        raise _invalid("params._meta.progressToken", "a string or a number")
    return token


def accepts_streams(exchange: Exchange) -> bool:
    accept = exchange.header_or_none("accept") or ""
    return "text/event-stream" in accept or "*/*" in accept


def _referenced(params: Members) -> Named:
    ref = _object(params.get("ref", Raw()), "params.ref")
    kind_and_key = _REF_TYPES.get(_text(ref.get("type"), "params.ref.type"))
    if kind_and_key is None:
        raise _invalid("params.ref.type", " or ".join(_REF_TYPES))
    kind, key = kind_and_key
    if set(ref) & {"name", "uri"} != {key}:
        raise _invalid("params.ref", f"an object with {key!r} as the only name of what it means")
    return Named(kind, _text(ref.get(key), f"params.ref.{key}"))


def _object(raw: Raw, place: str) -> Members:
    try:
        return meta.members(raw)
    except msgspec.DecodeError:
        raise _invalid(place, "an object") from None


def _text(raw: Raw | None, place: str) -> str:
    found: str = _decoded(raw if raw is not None else jsonrpc.NULL, str, place, "a string")
    if not 0 < len(found) <= _LONGEST_NAME:
        raise _invalid(place, f"a string of 1 to {_LONGEST_NAME} characters")
    return found


def _decoded(raw: Raw, kind: Any, place: str, wanted: str) -> Any:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError):
        raise _invalid(place, wanted) from None


def _invalid(place: str, wanted: str) -> BadRequest:
    return BadRequest(f"{place} must be {wanted}", code=jsonrpc.INVALID_PARAMS)
