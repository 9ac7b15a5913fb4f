"""Errors as A2A clients know them, over JSON-RPC or HTTP+JSON, with google.rpc details in either.

Over JSON-RPC the HTTP status says what went wrong until the request has been read; after that it is 200 and
the error is the answer, except for the statuses that HTTP clients themselves act on.
"""

import re
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
REASONS = {
    TASK_NOT_FOUND: "TASK_NOT_FOUND",
    TASK_NOT_CANCELABLE: "TASK_NOT_CANCELABLE",
    PUSH_NOT_SUPPORTED: "PUSH_NOTIFICATION_NOT_SUPPORTED",
    UNSUPPORTED_OPERATION: "UNSUPPORTED_OPERATION",
    CONTENT_TYPE_NOT_SUPPORTED: "CONTENT_TYPE_NOT_SUPPORTED",
    INVALID_AGENT_RESPONSE: "INVALID_AGENT_RESPONSE",
    EXTENDED_CARD_NOT_CONFIGURED: "EXTENDED_AGENT_CARD_NOT_CONFIGURED",
    EXTENSION_SUPPORT_REQUIRED: "EXTENSION_SUPPORT_REQUIRED",
    VERSION_NOT_SUPPORTED: "VERSION_NOT_SUPPORTED",
    jsonrpc.PARSE_ERROR: "INVALID_REQUEST",
    jsonrpc.INVALID_PARAMS: "INVALID_PARAMS",
    jsonrpc.INVALID_REQUEST: "INVALID_REQUEST",
    jsonrpc.METHOD_NOT_FOUND: "METHOD_NOT_FOUND",
    jsonrpc.INTERNAL_ERROR: "INTERNAL_ERROR",
}
# HTTP+JSON: what each number is as a status, and the name that google.rpc has for a status.
_STATUSES = {
    TASK_NOT_FOUND: (404, "NOT_FOUND"),
    TASK_NOT_CANCELABLE: (400, "FAILED_PRECONDITION"),
    PUSH_NOT_SUPPORTED: (400, "FAILED_PRECONDITION"),
    UNSUPPORTED_OPERATION: (400, "FAILED_PRECONDITION"),
    CONTENT_TYPE_NOT_SUPPORTED: (400, "INVALID_ARGUMENT"),
    INVALID_AGENT_RESPONSE: (500, "INTERNAL"),
    EXTENDED_CARD_NOT_CONFIGURED: (400, "FAILED_PRECONDITION"),
    EXTENSION_SUPPORT_REQUIRED: (400, "FAILED_PRECONDITION"),
    VERSION_NOT_SUPPORTED: (400, "FAILED_PRECONDITION"),
    jsonrpc.PARSE_ERROR: (400, "INVALID_ARGUMENT"),
    jsonrpc.INVALID_PARAMS: (400, "INVALID_ARGUMENT"),
    jsonrpc.INVALID_REQUEST: (400, "INVALID_ARGUMENT"),
    jsonrpc.METHOD_NOT_FOUND: (404, "NOT_FOUND"),
}
_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_REST_PATH = re.compile(r"/agents/[^/]+/(.*/)?(message:(send|stream)|tasks(/.*)?|extendedAgentCard|v1/card)")
_CODES = {
    Reason.INVALID: jsonrpc.INVALID_REQUEST,
    Reason.METHOD: jsonrpc.INVALID_REQUEST,
    Reason.TOO_LARGE: jsonrpc.INVALID_REQUEST,
    Reason.UNAUTHENTICATED: REFUSED,
    Reason.FORBIDDEN: REFUSED,
    Reason.DELEGATION: REFUSED,
    Reason.APPROVAL: REFUSED,
    Reason.KILLED: REFUSED,
    Reason.NOT_FOUND: REFUSED,
    Reason.LIMIT: REFUSED,
    Reason.BUDGET: REFUSED,
    Reason.UPSTREAM_BROKEN: INVALID_AGENT_RESPONSE,
}


class A2A:
    """The dialect of one request. `answers` is the id that its error carries, once it has been read; over
    HTTP+JSON (`rest`) there is none, and 0.3 (`earlier`) has the number in the body itself.
    """

    def __init__(self, answers: Raw | None = None, *, rest: bool = False, earlier: bool = False) -> None:
        self._answers = answers
        self._rest = rest
        self._earlier = earlier

    def knowing(self, exchange: Exchange, body: bytes) -> Self:
        """This dialect for the request in `body`: itself where that is no JSON-RPC."""
        if _REST_PATH.fullmatch(exchange.path):
            return type(self)(rest=True, earlier="/v1/" in exchange.path)
        try:
            request = _ID.decode(body)
        except (msgspec.DecodeError, RecursionError):
            return self
        known = bytes(request.id) if bytes(request.id)[:1] not in (b"{", b"[", b"t", b"f") else b""
        return type(self)(Raw(known or b"null"))

    def refusal(self, error: GatestackError, request_id: str) -> Rendered:
        headers = [_JSON, (b"cache-control", b"no-store"), *retry_headers(error)]
        if error.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if self._rest:
            status, body = self._status_body(error, request_id)
            return status, headers, body
        read = self._answers is not None and error.status not in _KEPT_STATUSES
        return 200 if read else error.status, headers, self._body(error, request_id)

    def event(self, error: GatestackError, request_id: str) -> bytes:
        if self._rest:
            return sse.encode(self._status_body(error, request_id)[1], "error")
        return sse.encode(self._body(error, request_id))

    def _body(self, error: GatestackError, request_id: str) -> bytes:
        code = error.code if error.code is not None else _CODES.get(error.reason, jsonrpc.INTERNAL_ERROR)
        its = REASONS.get(code) if code > jsonrpc.INVALID_REQUEST else None
        details = _details(error, its, request_id)
        return jsonrpc.error(self._answers or jsonrpc.NULL, code, _message(error), details)

    def _status_body(self, error: GatestackError, request_id: str) -> tuple[int, bytes]:
        its = REASONS.get(error.code) if error.code is not None else None
        details = _details(error, its, request_id)
        number = error.code if error.code is not None else _CODES.get(error.reason, jsonrpc.INTERNAL_ERROR)
        status, name = _STATUSES.get(number, (500, "INTERNAL"))
        if error.code is None:
            status, name = error.status, _NAMES.get(error.status, "INTERNAL")
        return status, _encoded(status, name, _message(error), details, number if self._earlier else None)


def status_body(code: int, message: str, details: list[Any], *, earlier: bool = False) -> tuple[int, bytes]:
    """Status and body over HTTP+JSON of the error that JSON-RPC calls `code`."""
    status, name = _STATUSES.get(code, (500, "INTERNAL"))
    return status, _encoded(status, name, message, details, code if earlier else None)


def error_info(reason: str, metadata: dict[str, str], *, domain: str = _ITS_DOMAIN) -> dict[str, Any]:
    return {"@type": _ERROR_INFO, "reason": reason, "domain": domain, "metadata": metadata}


def _encoded(status: int, name: str, message: str, details: list[Any], number: int | None) -> bytes:
    """`number` is where clients of 0.3 look for it: beside what those of 1.0 read."""
    body: dict[str, Any] = {"code": status, "status": name, "message": message}
    outer = {"code": number, "message": message} if number is not None else {}
    return msgspec.json.encode(outer | {"error": body | ({"details": details} if details else {})})


def _message(error: GatestackError) -> str:
    # A detail may quote half a character of the caller's.
    return error.detail.encode("utf-8", "replace").decode()


class _Id(Struct):
    id: Raw = Raw()


_ID = msgspec.json.Decoder(_Id)


def _details(error: GatestackError, its: str | None, request_id: str) -> list[dict[str, Any]]:
    metadata = {"call": request_id}
    if isinstance(error.data, dict):
        metadata |= {str(name): str(value) for name, value in error.data.items()}
    info = error_info(its or str(error.reason).upper(), metadata, domain=_ITS_DOMAIN if its else _OUR_DOMAIN)
    if error.retry_after is None:
        return [info]
    return [info, {"@type": _RETRY_INFO, "retryDelay": f"{max(0.0, error.retry_after):g}s"}]
