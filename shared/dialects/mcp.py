"""Errors as MCP's clients know them: JSON-RPC errors that carry the request's id, in the statuses of both
eras.

The official clients show the message of a JSON-RPC error at any status, so the status says what
intermediaries need: an error of the protocol's own codes follows the era's table, everything else keeps the
status that HTTP has for it.
Source: https://modelcontextprotocol.io/specification/2026-07-28/basic/transports
"""

import re

import msgspec
from msgspec import Raw

from shared import jsonrpc, sse
from shared.asgi import Exchange
from shared.dialects import Rendered, retry_headers
from shared.errors import (
    BadRequest,
    ContentRefused,
    Forbidden,
    GatestackError,
    NotFound,
    Reason,
    UpstreamFault,
)

SESSION_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26")
STATELESS_VERSIONS = ("2026-07-28",)
# 2024-11-05 had another transport, but clients of that age name it in this header too.
_SESSION_HEADERS = frozenset((*SESSION_VERSIONS, "2024-11-05"))
VERSION_HEADER = "mcp-protocol-version"

HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION = -32020, -32021, -32022
# The range that the protocol leaves to implementations.
_CODES = {
    Reason.UNAUTHENTICATED: -32010,
    Reason.FORBIDDEN: -32011,
    Reason.DELEGATION: -32011,
    Reason.KILLED: -32012,
    Reason.LIMIT: -32013,
    Reason.BUDGET: -32013,
    Reason.UPSTREAM_UNREACHABLE: -32014,
    Reason.UPSTREAM_TIMEOUT: -32014,
    Reason.UPSTREAM_REFUSED: -32014,
    Reason.UPSTREAM_BROKEN: -32014,
    Reason.UNAVAILABLE: -32015,
    Reason.APPROVAL: -32016,
    Reason.FAULT: jsonrpc.INTERNAL_ERROR,
}
_STATELESS_STATUS = {
    jsonrpc.PARSE_ERROR: 400,
    jsonrpc.INVALID_REQUEST: 400,
    jsonrpc.INVALID_PARAMS: 400,
    jsonrpc.METHOD_NOT_FOUND: 404,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
}
# What a session-era server answers with 200: the request was understood, its content was not.
_SESSION_ANSWERS = frozenset((jsonrpc.INVALID_PARAMS, jsonrpc.METHOD_NOT_FOUND))
_JSON = (b"content-type", b"application/json")
# Where the metadata of an endpoint is, before the endpoint's own path (RFC 9728 section 3.1).
METADATA = "/.well-known/oauth-protected-resource"
_ENDPOINT = re.compile(r"/mcp|/(servers|catalogs)/[a-z0-9-]{1,64}/mcp")
# What a scope may be written with (RFC 6749 section 3.3).
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,512}")


class Mcp:
    """`missing` is what a refused item and an unknown one are both called, so that nobody learns which of
    the two it is. `public_url` is set where clients are told which authorization servers there are, `path`
    is the endpoint that they asked.
    """

    def __init__(
        self,
        request_id: Raw = jsonrpc.NULL,
        *,
        stateless: bool = False,
        missing: str = "",
        public_url: str = "",
        path: str = "",
    ) -> None:
        self._id = request_id
        self._stateless = stateless
        self._missing = missing
        self._public_url = public_url
        self._path = path

    def at(self, exchange: Exchange) -> "Mcp":
        """The same for one request, as far as its headers tell of it."""
        return Mcp(stateless=is_stateless(exchange), public_url=self._public_url, path=exchange.path)

    def as_stateless(self, request_id: Raw) -> "Mcp":
        return Mcp(request_id, stateless=True, public_url=self._public_url, path=self._path)

    def knowing(self, exchange: Exchange, body: bytes) -> "Mcp":
        """The same with the request's id, as far as `body` has a readable one."""
        try:
            request_id = msgspec.json.decode(body, type=jsonrpc.Envelope).id
        except (msgspec.DecodeError, RecursionError):
            return self
        if not bytes(request_id) or bytes(request_id)[:1] in b"{[tf":
            return self
        return Mcp(
            request_id,
            stateless=is_stateless(exchange),
            missing=self._missing,
            public_url=self._public_url,
            path=self._path,
        )

    def hiding(self, missing: str) -> "Mcp":
        """The same for a request that is about one item: `missing` is what it is called when there
        is none.
        """
        return Mcp(
            self._id,
            stateless=self._stateless,
            missing=missing,
            public_url=self._public_url,
            path=self._path,
        )

    def refusal(self, error: GatestackError, request_id: str) -> Rendered:
        error = self._hidden(error)
        headers = [_JSON, *retry_headers(error)]
        if error.status == 401 or self._narrow(error):
            headers.append((b"www-authenticate", self._challenge(error)))
        if error.status == 405:
            headers.append((b"allow", b"POST" if self._stateless else b"GET, POST, DELETE"))
        return self._status(error), headers, self._body(error, request_id)

    def event(self, error: GatestackError, request_id: str) -> bytes:
        return sse.encode(self._body(self._hidden(error), request_id), "message")

    def _hidden(self, error: GatestackError) -> GatestackError:
        hides = isinstance(error, Forbidden | NotFound) and not isinstance(error, ContentRefused)
        if self._missing and hides and not self._narrow(error):
            return BadRequest(self._missing, code=jsonrpc.INVALID_PARAMS)
        return error

    def _narrow(self, error: GatestackError) -> bool:
        """Whether a token with more scope would do, and the client can be told where to get one. The answer
        is the same whether there is such an item or not: a client knows what its own token is for.
        """
        return bool(self._public_url) and isinstance(error, Forbidden) and bool(error.scope)

    def _challenge(self, error: GatestackError) -> bytes:
        """RFC 6750 section 3 and RFC 9728 section 5.1."""
        parts = ['realm="gatestack"']
        if isinstance(error, Forbidden):
            parts.append('error="insufficient_scope"')
            if _SCOPE.fullmatch(error.scope):
                parts.append(f'scope="{error.scope}"')
        if self._public_url and _ENDPOINT.fullmatch(self._path):
            parts.append(f'resource_metadata="{self._public_url}{METADATA}{self._path}"')
        return f"Bearer {', '.join(parts)}".encode()

    def _status(self, error: GatestackError) -> int:
        if isinstance(error, UpstreamFault):
            return 200
        if error.code is None:
            return error.status
        return status_of(error.code, stateless=self._stateless, otherwise=error.status)

    def _body(self, error: GatestackError, call: str) -> bytes:
        data = error.data
        if data is None or error.code is None:
            known: dict[str, object] = {"reason": str(error.reason), "call": call}
            if error.retry_after is not None:
                known["retry_after"] = max(1, -int(-error.retry_after // 1))
            data = known | (data if isinstance(data, dict) else {})
        try:
            return jsonrpc.error(self._id, _code(error), error.detail, data)
        except UnicodeEncodeError:
            # A detail may quote half a character of the caller's.
            clean = error.detail.encode("utf-8", "replace").decode()
            return jsonrpc.error(self._id, _code(error), clean, None)


def is_stateless(exchange: Exchange) -> bool:
    """Whether a request belongs to the stateless era, as far as its headers tell: it names a version
    without sessions.
    """
    version = exchange.header_or_none(VERSION_HEADER)
    return version is not None and version not in _SESSION_HEADERS


def status_of(code: int, *, stateless: bool, otherwise: int = 200) -> int:
    """The HTTP status under which an error of this code travels."""
    if stateless:
        return _STATELESS_STATUS.get(code, otherwise)
    return 200 if code in _SESSION_ANSWERS else otherwise


def _code(error: GatestackError) -> int:
    if error.code is not None:
        return error.code
    return _CODES.get(error.reason, jsonrpc.INVALID_REQUEST)
