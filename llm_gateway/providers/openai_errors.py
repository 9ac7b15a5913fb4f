"""Errors as OpenAI and those like it write them: what they say, and the same in OpenAI's own shape where
theirs is another.
"""

from typing import Any

import msgspec
from msgspec import Struct

_LONGEST_CODE = 64


class Said(Struct, frozen=True):
    """`body` is what may be shown to a client of OpenAI's."""

    message: str
    code: str | None
    body: bytes


def read(body: bytes, status: int) -> Said:
    found = _decoded(body)
    error = found.get("error")
    if isinstance(error, dict):
        shown = body if body.lstrip().startswith(b"{") else msgspec.json.encode({"error": error})
        return Said(_text(error.get("message")), _code(error), shown)
    message = _text(error) or _text(found.get("message")) or _detail(found.get("detail"))
    return Said(message, _code(found), _shaped(message, _code(found), status))


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return {}
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _detail(value: Any) -> str:
    """FastAPI's errors: a text, or a list of what is wrong where."""
    if not isinstance(value, list):
        return _text(value)
    places = [each for each in value if isinstance(each, dict)]
    return "; ".join(f"{_place(each.get('loc'))}{_text(each.get('msg'))}" for each in places)


def _place(loc: Any) -> str:
    return ".".join(str(step) for step in loc) + ": " if isinstance(loc, list) and loc else ""


def _code(error: dict[str, Any]) -> str | None:
    """Names only: a number is a status in disguise."""
    code = error.get("code")
    return code if isinstance(code, str) and 0 < len(code) <= _LONGEST_CODE else None


def _shaped(message: str, code: str | None, status: int) -> bytes:
    told = message or f"the provider refused the request (status {status}) without saying why"
    error = {"message": told, "type": "invalid_request_error", "param": None, "code": code}
    return msgspec.json.encode({"error": error})
