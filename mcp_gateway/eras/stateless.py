"""The stateless era (2026-07-28): every request says all there is to know, in its body and again in its
headers.

Source: https://modelcontextprotocol.io/specification/2026-07-28/basic
"""

import msgspec
from msgspec import Raw

from mcp_gateway import meta, methods
from mcp_gateway.ask import Ask, accepts_streams, named, opened, token_of
from mcp_gateway.capabilities import declared
from mcp_gateway.meta import LEVELS, Members
from mcp_gateway.methods import Method
from mcp_gateway.mirrors import decoded
from mcp_gateway.surfaces import Surface
from shared import jsonrpc
from shared.asgi import Exchange
from shared.dialects.mcp import (
    HEADER_MISMATCH,
    SESSION_VERSIONS,
    STATELESS_VERSIONS,
    UNSUPPORTED_VERSION,
    VERSION_HEADER,
)
from shared.errors import BadRequest
from shared.identity.principal import Caller
from shared.jsonrpc import Envelope

METHOD_HEADER, NAME_HEADER = "mcp-method", "mcp-name"
# What a client that asks for another version is told to choose from.
SUPPORTED = (*STATELESS_VERSIONS, *SESSION_VERSIONS)
_REQUIRED = (meta.PROTOCOL_VERSION, meta.CLIENT_CAPABILITIES)
_COMPLETE = b'"resultType":"complete"'
_NO_HINT = Raw(b"0")
_PRIVATE = Raw(b'"private"')


class StatelessEra:
    stateless = True

    async def read(self, exchange: Exchange, envelope: Envelope, caller: Caller, surface: Surface) -> Ask:
        """The checks, in the order in which the official servers make them."""
        sent = {name: _header(exchange, name) for name in (VERSION_HEADER, METHOD_HEADER, NAME_HEADER)}
        if not envelope.method:
            raise BadRequest("a body must be one request or notification", code=jsonrpc.INVALID_REQUEST)
        if not envelope.has_id:
            _check_version(sent[VERSION_HEADER])
            return Ask(era=self, method=methods.NOTIFICATION, surface=surface)
        params, found = opened(envelope)
        version = _envelope(found)
        _compare(VERSION_HEADER, sent[VERSION_HEADER], version)
        _compare(METHOD_HEADER, sent[METHOD_HEADER], envelope.method)
        _compare_name(sent[NAME_HEADER], envelope.method, params)
        _check_version(version)
        method = methods.find(envelope.method, stateless=True, passes=bool(surface.server))
        return Ask(
            era=self,
            method=method,
            surface=surface,
            id=envelope.id,
            params=params,
            meta=meta.passing(found),
            named=named(method, params),
            progress_token=token_of(found),
            log_from=_level(found),
            capabilities=declared(found[meta.CLIENT_CAPABILITIES]),
            streams=accepts_streams(exchange),
        )

    def listed(self, members: bytes, ttl_ms: bytes) -> bytes:
        # What is listed here depends on who asks.
        return b"{" + members + b',"ttlMs":' + ttl_ms + b"," + _COMPLETE + b',"cacheScope":"private"}'

    def dressed(self, method: Method, result: bytes) -> bytes:
        if not method.cacheable and b'"resultType"' not in result:
            rest = result.lstrip()[1:].lstrip()
            return b"{" + _COMPLETE + (b"" if rest[:1] == b"}" else b",") + rest
        members = meta.members(result)
        complete = bytes(members.setdefault("resultType", Raw(b'"complete"'))) == b'"complete"'
        if method.cacheable and complete:
            members.setdefault("ttlMs", _NO_HINT)
            # What is listed and read here depends on who asks.
            members["cacheScope"] = _PRIVATE
        return msgspec.json.encode(members)


def _header(exchange: Exchange, name: str) -> str | None:
    try:
        return exchange.header(name)
    except BadRequest as error:
        raise BadRequest(error.detail, code=HEADER_MISMATCH) from error


def _envelope(found: Members) -> str:
    missing = [key for key in _REQUIRED if key not in found]
    if missing:
        raise BadRequest(f"params._meta needs {' and '.join(missing)}", code=jsonrpc.INVALID_PARAMS)
    if bytes(found[meta.CLIENT_CAPABILITIES])[:1] != b"{":
        raise BadRequest(f"{meta.CLIENT_CAPABILITIES} must be an object", code=jsonrpc.INVALID_PARAMS)
    try:
        return msgspec.json.decode(found[meta.PROTOCOL_VERSION], type=str)
    except msgspec.DecodeError:
        raise BadRequest(f"{meta.PROTOCOL_VERSION} must be a string", code=jsonrpc.INVALID_PARAMS) from None


def _compare(header: str, sent: str | None, body: str) -> None:
    if sent != body:
        what = "is missing" if sent is None else "does not say what the body says"
        raise BadRequest(f"the header {header} {what}", code=HEADER_MISMATCH)


def _compare_name(sent: str | None, method: str, params: Members) -> None:
    """Compares the name of what is called with its header; a body without one is refused later, for that."""
    known = methods.METHODS.get(method)
    if known is None or known.does != "call" or known.completes:
        return
    try:
        body = msgspec.json.decode(params.get(methods.KEYS[known.kind], jsonrpc.NULL), type=str)
    except msgspec.DecodeError:
        return
    _compare(NAME_HEADER, decoded(sent) if sent is not None else None, body)


def _check_version(version: str | None) -> None:
    if version not in STATELESS_VERSIONS:
        raise BadRequest(
            f"the protocol version {version} is not supported",
            code=UNSUPPORTED_VERSION,
            data={"supported": list(SUPPORTED), "requested": version},
        )


def _level(found: Members) -> int | None:
    """Where in LEVELS the client wants log messages to begin; it gets none unless it asks."""
    raw = found.get(meta.LOG_LEVEL)
    try:
        return LEVELS.index(msgspec.json.decode(raw, type=str)) if raw is not None else None
    except (msgspec.DecodeError, ValueError):
        raise BadRequest(
            f"{meta.LOG_LEVEL} must be one of {', '.join(LEVELS)}", code=jsonrpc.INVALID_PARAMS
        ) from None
