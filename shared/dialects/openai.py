"""Errors as OpenAI's clients know them: `{"error": {message, type, param, code}}`, and the same as a stream's
last event.

Source: https://platform.openai.com/docs/guides/error-codes and what the official client reads.
"""

import msgspec

from shared import sse
from shared.dialects import Rendered, retry_headers
from shared.errors import GatestackError, Reason, UpstreamRefused
from shared.limits.limiter import Lease

Header = tuple[bytes, bytes]

_JSON = (b"content-type", b"application/json")
# reason -> type, code. `data={"param": …, "code": …}` of an error says it more exactly.
_TYPES = {
    Reason.INVALID: ("invalid_request_error", None),
    Reason.UNAUTHENTICATED: ("invalid_request_error", "invalid_api_key"),
    Reason.FORBIDDEN: ("permission_error", "forbidden"),
    Reason.DELEGATION: ("permission_error", "delegation_refused"),
    Reason.APPROVAL: ("permission_error", "approval_required"),
    Reason.KILLED: ("permission_error", "killed"),
    Reason.NOT_FOUND: ("invalid_request_error", "not_found"),
    Reason.METHOD: ("invalid_request_error", "method_not_allowed"),
    Reason.TOO_LARGE: ("invalid_request_error", "request_too_large"),
    Reason.LIMIT: ("rate_limit_error", "rate_limit_exceeded"),
    Reason.BUDGET: ("insufficient_quota", "insufficient_quota"),
    Reason.UPSTREAM_UNREACHABLE: ("upstream_error", "upstream_unreachable"),
    Reason.UPSTREAM_TIMEOUT: ("upstream_error", "upstream_timeout"),
    Reason.UPSTREAM_REFUSED: ("upstream_error", "upstream_refused"),
    Reason.UPSTREAM_BROKEN: ("upstream_error", "upstream_broken"),
    Reason.UNAVAILABLE: ("server_error", "unavailable"),
}
_OURS = ("server_error", "internal_error")
_RATE = {
    unit: tuple(f"x-ratelimit-{what}-{unit}".encode() for what in ("limit", "remaining", "reset"))
    for unit in ("requests", "tokens")
}
# A provider that is busy says so with these, and clients know how to wait for them.
_BUSY = {429: 429, 503: 503, 529: 503}
# Below 500, and yet nothing about the request: our credential, our address of the provider, its haste.
_NOT_THEIRS = frozenset((401, 402, 403, 404, 405, 407, 408, 409, 425, 429))


class OpenAI:
    def refusal(self, error: GatestackError, request_id: str) -> Rendered:
        headers = [_JSON, *retry_headers(error)]
        if isinstance(error, UpstreamRefused):
            if error.body:
                return error.upstream_status, headers, error.body
            if _is_theirs(error):
                return error.upstream_status, headers, _body(error, _TYPES[Reason.INVALID])
            return _BUSY.get(error.upstream_status, error.status), headers, _body(error)
        if error.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if error.reason in (Reason.LIMIT, Reason.BUDGET):
            headers += _limited(error)
        return error.status, headers, _body(error)

    def event(self, error: GatestackError, request_id: str) -> bytes:
        if isinstance(error, UpstreamRefused) and error.body:
            # A line break in JSON is white space, in an event it would begin another field.
            return sse.encode(error.body.replace(b"\r", b" ").replace(b"\n", b" "))
        return sse.encode(_body(error))


def _is_theirs(error: UpstreamRefused) -> bool:
    """Whether what the provider refused is the request itself, so that the caller can repair it."""
    return 400 <= error.upstream_status < 500 and error.upstream_status not in _NOT_THEIRS


def _body(error: GatestackError, named: tuple[str, str | None] | None = None) -> bytes:
    kind, code = named or _TYPES.get(error.reason, _OURS)
    exact = error.data if isinstance(error.data, dict) else {}
    fields = {
        "message": error.detail,
        "type": kind,
        "param": exact.get("param"),
        "code": exact.get("code", code),
    }
    try:
        return msgspec.json.encode({"error": fields})
    except UnicodeEncodeError:
        # A detail may quote half a character of the caller's.
        clean = error.detail.encode("utf-8", "replace").decode()
        return msgspec.json.encode({"error": {**fields, "message": clean}})


def rate_headers(lease: Lease) -> list[Header]:
    """What is left of the tightest request and token limits, where there are such limits."""
    return [
        header
        for found in lease.left()
        for header in _rate(found.unit, found.amount, found.left, found.reset)
    ]


def _rate(unit: str, amount: int, left: int, reset: float | None) -> list[Header]:
    limit, remaining, starts_anew = _RATE[unit]
    found = [(limit, str(amount).encode()), (remaining, str(left).encode())]
    if reset is not None:
        found.append((starts_anew, duration(reset).encode()))
    return found


def _limited(error: GatestackError) -> list[Header]:
    """The limit that was reached, and a word to the official client, which repeats every 429 unless it is
    told not to.
    """
    data = error.data if isinstance(error.data, dict) else {}
    headers = [(b"x-should-retry", b"false")] if error.retry_after is None else []
    unit = str(data.get("unit", "")).partition("_")[0]
    if unit in ("requests", "tokens"):
        headers += _rate(unit, data["amount"], data["remaining"], data.get("reset_s"))
    return headers


def duration(seconds: float) -> str:
    """Time as OpenAI writes it: `6ms`, `1s`, `1m3s`, `6h0m0s`."""
    if 0 < seconds < 1:
        return f"{max(1, round(seconds * 1000))}ms"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
