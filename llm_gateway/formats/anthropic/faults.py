"""What an error that a provider wrote into its answer means here."""

import msgspec
from msgspec import Struct

from shared.errors import UpstreamRefused

_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class _Error(Struct, frozen=True):
    type: str = ""


class _Answer(Struct, frozen=True):
    error: _Error = _Error()


_decode = msgspec.json.Decoder(_Answer).decode


def refused(body: bytes, words: bytes = b"") -> UpstreamRefused:
    """`body` is the answer or the event that holds the error, `words` what of it may reach the caller."""
    try:
        kind = _decode(body).error.type
    except (ValueError, RecursionError):
        kind = ""
    return UpstreamRefused(
        "the provider sent an error instead of an answer",
        upstream_status=_STATUS.get(kind, 502),
        body=words,
        retryable=True,
    )
