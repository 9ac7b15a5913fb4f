"""Bedrock's exceptions, in an answer's header or in the middle of a stream, and what they mean here."""

import msgspec
from msgspec import Struct

from shared.errors import UpstreamRefused

# Exception in lower case, without its ending -> the status that it has outside of streams.
_STATUS = {
    "accessdenied": 403,
    "expiredtoken": 403,
    "invalidsignature": 403,
    "unrecognizedclient": 403,
    "throttling": 429,
    "servicequotaexceeded": 429,
    "modelnotready": 429,
    "resourcenotfound": 404,
    "modeltimeout": 408,
    "modelerror": 424,
    "modelstreamerror": 424,
    "internalserver": 500,
    "internalerror": 500,
    "serviceunavailable": 503,
    "validation": 400,
}
_OTHERWISE = 502


class _Error(Struct, frozen=True):
    message: str = ""
    Message: str = ""


_decode = msgspec.json.Decoder(_Error).decode


def status_of(exception: str) -> int | None:
    """The status of an exception as AWS names it: `ThrottlingException`, `throttlingException`, with a `:`
    and more behind it, or with a namespace and `#` before it.
    """
    name = exception.partition(":")[0].rpartition("#")[2].lower()
    return _STATUS.get(name.removesuffix("exception"))


def message_of(body: bytes) -> str:
    try:
        error = _decode(body)
    except (ValueError, RecursionError):
        return ""
    return error.message or error.Message


def in_stream(exception: str, body: bytes) -> UpstreamRefused:
    """An exception after the stream has begun. Its words are the caller's only where it can act on them."""
    status = status_of(exception) or _OTHERWISE
    if status == 400:
        detail = f"the provider refused the request (status 400): {message_of(body)[:1000]}"
        return UpstreamRefused(detail, upstream_status=400, body=body, retryable=False)
    text = "the provider is over its own limit" if status == 429 else "the provider could not go on"
    return UpstreamRefused(
        f"{text} ({exception[:64] or 'no reason given'})", upstream_status=status, body=body, retryable=True
    )
