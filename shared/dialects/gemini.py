"""Errors as Gemini's clients know them: Google's `{"error": {code, message, status, details}}`, and the same
as a stream's last event.

Source: https://cloud.google.com/apis/design/errors and what the official client reads.
"""

from typing import Any

import msgspec

from shared import sse
from shared.dialects import Rendered, openai, retry_headers
from shared.errors import GatestackError, Reason, UpstreamRefused

_JSON = (b"content-type", b"application/json; charset=UTF-8")
_TYPE = "type.googleapis.com/google.rpc."
_DOMAIN = "gatestack"
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
# A provider that is busy says so with these, and clients know how to wait for them.
_BUSY = {503: 503, 529: 503}

# Google has no such headers; tools that look for any look for OpenAI's.
rate_headers = openai.rate_headers


class Gemini:
    def refusal(self, error: GatestackError, request_id: str) -> Rendered:
        status = _status(error)
        headers = [_JSON, *retry_headers(error)]
        if isinstance(error, UpstreamRefused) and error.body:
            return error.upstream_status, headers, error.body
        return status, headers, _body(error, status, request_id)

    def event(self, error: GatestackError, request_id: str) -> bytes:
        if isinstance(error, UpstreamRefused) and error.body:
            # A line break in JSON is white space, in an event it would begin another field.
            return sse.encode(error.body.replace(b"\r", b" ").replace(b"\n", b" "))
        return sse.encode(_body(error, _status(error), request_id))


def _status(error: GatestackError) -> int:
    """Of what a provider has refused, the status that tells the caller what to do about it."""
    if isinstance(error, UpstreamRefused):
        upstream = error.upstream_status
        return upstream if 400 <= upstream < 500 else _BUSY.get(upstream, error.status)
    return error.status


def _body(error: GatestackError, status: int, request_id: str) -> bytes:
    fields = {
        "code": status,
        "message": error.detail,
        "status": _STATUSES.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL"),
        "details": list(_details(error, request_id)),
    }
    try:
        return msgspec.json.encode({"error": fields})
    except UnicodeEncodeError:
        # A detail may quote half a character of the caller's.
        clean = error.detail.encode("utf-8", "replace").decode()
        return msgspec.json.encode({"error": {**fields, "message": clean}})


def _details(error: GatestackError, request_id: str) -> list[dict[str, Any]]:
    data = error.data if isinstance(error.data, dict) else {}
    found: list[dict[str, Any]] = [
        {
            "@type": _TYPE + "ErrorInfo",
            "reason": str(error.reason).upper(),
            "domain": _DOMAIN,
            "metadata": {"call": request_id},
        }
    ]
    if error.reason is Reason.INVALID and isinstance(data.get("param"), str):
        violation = {"field": data["param"], "description": _printable(error.detail)}
        found.append({"@type": _TYPE + "BadRequest", "fieldViolations": [violation]})
    if error.reason in (Reason.LIMIT, Reason.BUDGET):
        violation = {"description": _printable(error.detail), "quotaId": str(data.get("unit", ""))}
        if "amount" in data:
            violation["quotaValue"] = str(data["amount"])
        found.append({"@type": _TYPE + "QuotaFailure", "violations": [violation]})
    if error.retry_after is not None:
        delay = max(1, -int(-error.retry_after // 1))
        found.append({"@type": _TYPE + "RetryInfo", "retryDelay": f"{delay}s"})
    return found


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
