"""Google's error object (google.rpc.Status in JSON), as providers send it."""

import re
from typing import Any

import msgspec
from msgspec import Struct

_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


class Failure(Struct, frozen=True):
    """`reasons` are the machine-readable ones of its details, `retry_after` seconds of its RetryInfo."""

    code: int = 0
    status: str = ""
    message: str = ""
    reasons: tuple[str, ...] = ()
    retry_after: float | None = None

    @classmethod
    def read(cls, body: bytes) -> "Failure | None":
        """The error in an answer; streams that are not events hold it in a list of one. None where there is
        none.
        """
        try:
            found = msgspec.json.decode(body)
        except (ValueError, RecursionError):
            return None
        if isinstance(found, list) and len(found) == 1:
            found = found[0]
        return cls.of(found.get("error")) if isinstance(found, dict) else None

    @classmethod
    def of(cls, error: Any) -> "Failure | None":
        if not isinstance(error, dict):
            return None
        code, status, message = error.get("code"), error.get("status"), error.get("message")
        listed = error.get("details")
        details = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
        reasons = (item.get("reason") for item in details)
        return cls(
            code=code if isinstance(code, int) else 0,
            status=status if isinstance(status, str) else "",
            message=message if isinstance(message, str) else "",
            reasons=tuple(reason for reason in reasons if isinstance(reason, str)),
            retry_after=next((wait for item in details if (wait := _delay(item)) is not None), None),
        )


def _delay(detail: dict[str, Any]) -> float | None:
    if not str(detail.get("@type", "")).endswith("google.rpc.RetryInfo"):
        return None
    found = _DELAY.fullmatch(str(detail.get("retryDelay", "")))
    return float(found[1]) if found else None
