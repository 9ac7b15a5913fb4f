"""A key's own limits, which travel with whoever it stands for: `requests/minute=600`, `micros/month=5000000`,
`concurrency=10`. They are counted for the key, over all services, beside the rules of the configuration.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec
from msgspec import Struct

from shared.identity.principal import Caller
from shared.limits.keys import encoded
from shared.limits.rule import CODES, PLACES, LimitRule

MOST = 16
_FORM = re.compile(r"([a-z_]+)(?:/([a-z]+))?=([0-9]{1,15})")
_CONCURRENCY = "concurrency"
# Counted once, where a call comes in; what calls cost is counted where the cost arises.
_ENTERING = ("requests", _CONCURRENCY)
_COUNTED_LATER = ("tokens", "tokens_in", "tokens_out", "micros")


class OwnLimit(Struct, frozen=True):
    """One of them. `code` is its window as the scripts know it, `place` the unit's place among amounts."""

    rule: LimitRule
    code: str
    place: int


def problems(texts: Sequence[str]) -> list[str]:
    """What is wrong with a key's limits, as `[index]: problem`."""
    found = [] if len(texts) <= MOST else [f": a key has at most {MOST} limits"]
    seen: set[str] = set()
    for number, text in enumerate(texts):
        name = text.partition("=")[0]
        try:
            read(text)
        except ValueError as error:
            found.append(f"[{number}]: {error}")
        if name in seen:
            found.append(f"[{number}]: {name} stands here twice")
        seen.add(name)
    return found


def of(caller: Caller) -> str:
    """The limits that count here for what `caller` does, as the fact `limits`."""
    limits = caller.bounds.limits
    if limits and caller.credential == "identity":
        limits = tuple(text for text in limits if not text.startswith(_ENTERING))
    return "\n".join(limits)


def own_limits(texts: str, key: str, amounts: tuple[int, ...]) -> tuple[list[LimitRule], list[str | int]]:
    """Rules and script arguments (as in `Plan`) of a call with `amounts` that this key started."""
    rules: list[LimitRule] = []
    arguments: list[str | int] = []
    makes_calls = any(amounts[place] for place in (5, 6, 8))
    for text in texts.split("\n"):
        limit = read(text)
        amount = amounts[limit.place]
        if amount or (makes_calls and limit.rule.unit in _COUNTED_LATER):
            rules.append(limit.rule)
            stem = f"own:{encoded(key)}:{limit.rule.unit}"
            arguments += (stem, limit.code, limit.place + 1, limit.rule.amount, amount, "")
    return rules, arguments


@lru_cache(maxsize=4096)
def read(text: str) -> OwnLimit:
    """Raises ValueError."""
    match = _FORM.fullmatch(text)
    unit, window = (match[1], match[2]) if match else ("", None)
    concurrent = unit == _CONCURRENCY
    if (
        match is None
        or unit not in PLACES
        or (window is None) != concurrent
        or (window or "day") not in CODES
    ):
        units = ", ".join(name for name in PLACES if name != _CONCURRENCY)
        raise ValueError(
            f"{text[:60]!r} must be one of {units}, a / and one of {', '.join(CODES)}, or concurrency; then ="
            " and a whole number"
        )
    told = {"name": "the limit of this key", "per": "key", "unit": unit, "amount": int(match[3])}
    rule = msgspec.convert(told | ({"window": window} if window else {}), LimitRule)
    return OwnLimit(rule, CODES[window] if window else "c", PLACES[unit])
