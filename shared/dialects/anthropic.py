"""Errors as Anthropic's clients know them: `{"type": "error", "error": {type, message}, request_id}`, and
the same as a stream's `error` event.

Source: https://docs.anthropic.com/en/api/errors and what the official client reads.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from shared import sse
from shared.clock import Clock
from shared.dialects import Rendered, retry_headers
from shared.errors import GatestackError, Reason, UpstreamRefused
from shared.limits.lease import Lease

Header = tuple[bytes, bytes]

_JSON = (b"content-type", b"application/json")
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
# A provider that is busy says so with these, and clients know how to wait for them.
_BUSY = frozenset((429, 503, 504, 529))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RATE = {
    unit: tuple(f"anthropic-ratelimit-{unit}-{what}".encode() for what in ("limit", "remaining", "reset"))
    for unit in ("requests", "tokens", "input-tokens", "output-tokens")
}
_UNITS = {"tokens_in": "input-tokens", "tokens_out": "output-tokens"}


class Anthropic:
    """`clock` because a limit's reset is told as a point in time."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()

    def refusal(self, error: GatestackError, request_id: str) -> Rendered:
        headers = [_JSON, (b"request-id", request_id.encode()), *retry_headers(error)]
        if isinstance(error, UpstreamRefused) and error.body:
            return error.upstream_status, headers, error.body
        if error.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if error.reason in (Reason.LIMIT, Reason.BUDGET):
            headers += self._limited(error)
        return _status(error), headers, _body(error, request_id)

    def event(self, error: GatestackError, request_id: str) -> bytes:
        if isinstance(error, UpstreamRefused) and error.body:
            # A line break in JSON is white space, in an event it would begin another field.
            return sse.encode(error.body.replace(b"\r", b" ").replace(b"\n", b" "), "error")
        return sse.encode(_body(error, request_id), "error")

    def rate_headers(self, lease: Lease) -> list[Header]:
        """What is left of the tightest request and token limits, where there are such limits."""
        return [
            header
            for found in lease.left()
            for header in self._rate(found.unit, found.amount, found.left, found.reset)
        ]

    def _rate(self, unit: str, amount: int, left: int, reset: float | None) -> list[Header]:
        limit, remaining, starts_anew = _RATE[unit]
        found = [(limit, str(amount).encode()), (remaining, str(left).encode())]
        if reset is not None:
            found.append((starts_anew, moment(self._clock.now() + reset).encode()))
        return found

    def _limited(self, error: GatestackError) -> list[Header]:
        """The limit that was reached, and a word to the official client, which repeats every 429 unless it is
        told not to.
        """
        data: dict[str, Any] = error.data if isinstance(error.data, dict) else {}
        headers = [(b"x-should-retry", b"false")] if error.retry_after is None else []
        unit = str(data.get("unit", ""))
        unit = _UNITS.get(unit, unit)
        if unit in _RATE:
            headers += self._rate(unit, data["amount"], data["remaining"], data.get("reset_s"))
        return headers


def moment(seconds: float) -> str:
    """A point in time as Anthropic writes it (RFC 3339, whole seconds, rounded up)."""
    try:
        return (_EPOCH + timedelta(seconds=-int(-seconds // 1))).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return "9999-12-31T23:59:59Z"


def type_of(status: int) -> str:
    return _TYPES.get(status) or ("invalid_request_error" if status < 500 else "api_error")


def _status(error: GatestackError) -> int:
    if not isinstance(error, UpstreamRefused):
        return error.status
    theirs = error.upstream_status
    the_callers = not error.retryable and 400 <= theirs < 500
    return theirs if the_callers or theirs in _BUSY else error.status


def _body(error: GatestackError, request_id: str) -> bytes:
    # A detail may quote half a character of the caller's.
    message = error.detail.encode("utf-8", "replace").decode()
    told = {"type": type_of(_status(error)), "message": message}
    return msgspec.json.encode({"type": "error", "error": told, "request_id": request_id})
