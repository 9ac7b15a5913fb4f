"""Errors as A2A 1.0 clients know them: a JSON-RPC error whose `data` holds google.rpc details.

Before a JSON-RPC request has been read the HTTP status says what went wrong; after that it is 200 and the
error is the answer, except for the statuses that HTTP clients themselves act on.
"""

from typing import Any, Self

import msgspec
from msgspec import Raw, Struct

from shared import jsonrpc, sse
from shared.asgi import Exchange
from shared.dialects import Rendered, retry_headers
from shared.errors import GatestackError, Reason

TASK_NOT_FOUND, TASK_NOT_CANCELABLE, PUSH_NOT_SUPPORTED = -32001, -32002, -32003
UNSUPPORTED_OPERATION, CONTENT_TYPE_NOT_SUPPORTED, INVALID_AGENT_RESPONSE = -32004, -32005, -32006
EXTENDED_CARD_NOT_CONFIGURED, EXTENSION_SUPPORT_REQUIRED, VERSION_NOT_SUPPORTED = -32007, -32008, -32009
# What this gateway refuses for a reason that A2A has no number for; ErrorInfo.reason says which.
REFUSED = -32000

_JSON = (b"content-type", b"application/json")
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_ITS_DOMAIN, _OUR_DOMAIN = "a2a-protocol.org", "gatestack"
_KEPT_STATUSES = (401, 429, 503)
_ITS_REASONS = {
    TASK_NOT_FOUND: "TASK_NOT_FOUND",
    TASK_NOT_CANCELABLE: "TASK_NOT_CANCELABLE",
    PUSH_NOT_SUPPORTED: "PUSH_NOTIFICATION_NOT_SUPPORTED",
    UNSUPPORTED_OPERATION: "UNSUPPORTED_OPERATION",
    CONTENT_TYPE_NOT_SUPPORTED: "CONTENT_TYPE_NOT_SUPPORTED",
    INVALID_AGENT_RESPONSE: "INVALID_AGENT_RESPONSE",
    EXTENDED_CARD_NOT_CONFIGURED: "EXTENDED_AGENT_CARD_NOT_CONFIGURED",
    EXTENSION_SUPPORT_REQUIRED: "EXTENSION_SUPPORT_REQUIRED",
    VERSION_NOT_SUPPORTED: "VERSION_NOT_SUPPORTED",
}
_CODES = {
    Reason.INVALID: jsonrpc.INVALID_REQUEST,
    Reason.METHOD: jsonrpc.INVALID_REQUEST,
    Reason.TOO_LARGE: jsonrpc.INVALID_REQUEST,
    Reason.UNAUTHENTICATED: REFUSED,
    Reason.FORBIDDEN: REFUSED,
    Reason.DELEGATION: REFUSED,
    Reason.KILLED: REFUSED,
    Reason.NOT_FOUND: REFUSED,
    Reason.LIMIT: REFUSED,
    Reason.BUDGET: REFUSED,
    Reason.UPSTREAM_BROKEN: INVALID_AGENT_RESPONSE,
}


class A2A:
    """The dialect of one request. `answers` is the id that its error carries, once it has been read."""

    def __init__(self, answers: Raw | None = None) -> None:
        self._answers = answers

    def knowing(self, exchange: Exchange, body: bytes) -> Self:
        """This dialect for the request in `body`: itself where that is no JSON-RPC."""
        try:
            request = _ID.decode(body)
        except (msgspec.DecodeError, RecursionError):
            return self
        known = bytes(request.id) if bytes(request.id)[:1] not in (b"{", b"[", b"t", b"f") else b""
        return type(self)(Raw(known or b"null"))

    def refusal(self, error: GatestackError, request_id: str) -> Rendered:
        read = self._answers is not None and error.status not in _KEPT_STATUSES
        headers = [_JSON, (b"cache-control", b"no-store"), *retry_headers(error)]
        if error.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        return 200 if read else error.status, headers, self._body(error, request_id)

    def event(self, error: GatestackError, request_id: str) -> bytes:
        return sse.encode(self._body(error, request_id))

    def _body(self, error: GatestackError, request_id: str) -> bytes:
        code = error.code if error.code is not None else _CODES.get(error.reason, jsonrpc.INTERNAL_ERROR)
        # A detail may quote half a character of the caller's.
        message = error.detail.encode("utf-8", "replace").decode()
        return jsonrpc.error(self._answers or jsonrpc.NULL, code, message, _details(error, code, request_id))


class _Id(Struct):
    id: Raw = Raw()


_ID = msgspec.json.Decoder(_Id)


def _details(error: GatestackError, code: int, request_id: str) -> list[dict[str, Any]]:
    its = _ITS_REASONS.get(code)
    metadata = {"call": request_id}
    if isinstance(error.data, dict):
        metadata |= {str(name): str(value) for name, value in error.data.items()}
    info = {
        "@type": _ERROR_INFO,
        "reason": its or str(error.reason).upper(),
        "domain": _ITS_DOMAIN if its else _OUR_DOMAIN,
        "metadata": metadata,
    }
    if error.retry_after is None:
        return [info]
    return [info, {"@type": _RETRY_INFO, "retryDelay": f"{max(0.0, error.retry_after):g}s"}]
