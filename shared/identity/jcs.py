"""JSON in one spelling (RFC 8785): what a signature or a hash over a JSON object is taken of."""

import math
from typing import Any

import msgspec

_LARGEST = 2**53 - 1
_DEEPEST = 64
# From here on, and below this, ECMAScript writes a number with an exponent.
_EXPANDED, _SMALLEST = 21, -6


def canonical(value: Any) -> bytes:
    """Raises ValueError for what has no canonical form: NaN, huge integers, half characters, deep nesting."""
    try:
        return _written(value, 0).encode()
    except UnicodeEncodeError as error:
        raise ValueError("it holds half of a character") from error


def _written(value: Any, depth: int) -> str:
    if depth > _DEEPEST:
        raise ValueError(f"it is nested more than {_DEEPEST} deep")
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda item: _units(item[0]))
        return "{" + ",".join(f"{_scalar(k)}:{_written(v, depth + 1)}" for k, v in members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_written(item, depth + 1) for item in value) + "]"
    return _scalar(value)


def _units(key: str) -> bytes:
    """Members are ordered by UTF-16 code units, not by characters (RFC 8785 section 3.2.3)."""
    return key.encode("utf-16-be")


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST:
        raise ValueError(f"{value} is no number that every reader of JSON can hold")
    if value is None or isinstance(value, bool | int | str):
        # Escapes exactly what must be, and nothing else.
        return msgspec.json.encode(value).decode()
    raise ValueError(f"{type(value).__name__} is nothing that JSON has")


def _number(value: float) -> str:
    """As ECMAScript's Number::toString writes it: the shortest digits, and the exponent in its own way."""
    if not math.isfinite(value):
        raise ValueError("JSON has no such number")
    if value == 0:
        return "0"
    sign, rest = ("-", -value) if value < 0 else ("", value)
    mantissa, _, power = f"{rest!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    # The value is 0.digits times ten to the power of `point`.
    point = (
        int(power or 0)
        + len(whole if whole != "0" else "")
        - (len(fraction) - len(fraction.lstrip("0")) if whole == "0" else 0)
    )
    return sign + _placed(digits.rstrip("0"), point)


def _placed(digits: str, point: int) -> str:
    count = len(digits)
    if count <= point <= _EXPANDED:
        return digits + "0" * (point - count)
    if 0 < point <= _EXPANDED:
        return f"{digits[:point]}.{digits[point:]}"
    if _SMALLEST < point <= 0:
        return "0." + "0" * -point + digits
    exponent = f"e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return (f"{digits[0]}.{digits[1:]}" if count > 1 else digits) + exponent
