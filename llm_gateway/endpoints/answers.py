"""Whole JSON answers of providers: told from errors, and from what is no answer at all."""

from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from shared.errors import UpstreamBroken, UpstreamRefused

Read = TypeVar("Read")


class _Failed(Struct, frozen=True):
    error: Raw = Raw()


_failed = msgspec.json.Decoder(_Failed).decode


def decoded(body: bytes, decoder: "msgspec.json.Decoder[Read]", what: str) -> Read:
    """Raises UpstreamRefused where `body` is an error, UpstreamBroken where it is no `what`."""
    try:
        return decoder.decode(body)
    except (ValueError, RecursionError) as error:
        _refuse(body)
        raise UpstreamBroken(f"the provider's answer is no {what}", cause=error) from error


def _refuse(body: bytes) -> None:
    try:
        found = bytes(_failed(body).error)
    except (ValueError, RecursionError):
        return
    if found not in (b"", b"null"):
        raise UpstreamRefused(
            "the provider sent an error instead of an answer",
            upstream_status=status_in(found),
            retryable=True,
        )


def status_in(error: bytes | Raw) -> int:
    """The HTTP status that some providers write into the error itself."""
    try:
        code: Any = msgspec.json.decode(error).get("code")
    except (ValueError, AttributeError, RecursionError):
        return 502
    return code if isinstance(code, int) and 400 <= code <= 599 else 502
