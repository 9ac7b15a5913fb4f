"""What HTTP says about keeping an answer (RFC 9111), as far as the edge's cache needs it."""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from msgspec import Struct

from api_gateway.answer import header_of, values_of
from shared.asgi import Headers

# A second is the finest that these know; what is longer than a year is a year.
_SECONDS = re.compile(r'"?([0-9]{1,18})"?')
_LONGEST = 31_536_000
# Statuses whose answers may be kept when they say for how long (RFC 9110 section 15.1, as far as GET goes).
_KEEPABLE = frozenset((200, 203, 204, 301, 308, 404, 405, 410))


class Life(Struct, frozen=True):
    """For how many seconds an answer is fresh; 0 has to be asked about each time, and can be by its tag."""

    seconds: int
    age: int
    tag: str


def directives(headers: Headers) -> dict[str, str]:
    """`cache-control`, each directive with what follows its `=`. Of two with one name the first counts."""
    found: dict[str, str] = {}
    for part in values_of(headers, "cache-control"):
        name, _, value = part.partition("=")
        found.setdefault(name.strip().lower(), value.strip())
    return found


def life(status: int, headers: Headers, *, shared: bool, now: float) -> Life | None:
    """None where the answer must not be kept, or where keeping it would be of no use. `now` (in seconds since
    1970) is when it came.

    A cache that is `shared` keeps only what says itself that everybody may see it: every request here is
    somebody's (RFC 9111 section 3.5).
    """
    said = directives(headers)
    if status not in _KEEPABLE or "no-store" in said or header_of(headers, "set-cookie") is not None:
        return None
    if "*" in values_of(headers, "vary"):
        return None
    if shared and ("private" in said or not ("public" in said or "s-maxage" in said)):
        return None
    seconds = 0 if "no-cache" in said else _fresh(said, headers, shared, now)
    tag = header_of(headers, "etag") or ""
    age = _number(header_of(headers, "age")) or 0
    return Life(seconds, age, tag) if seconds > age or tag else None


def matches(asked: str, tag: str) -> bool:
    """Does `if-none-match` name this tag? Compared weakly (RFC 9110 section 13.1.2)."""
    if not tag:
        return False
    bare = tag.removeprefix("W/")
    return asked.strip() == "*" or any(one.strip().removeprefix("W/") == bare for one in asked.split(","))


def _fresh(said: Mapping[str, str], headers: Headers, shared: bool, now: float) -> int:
    """The first that is there counts, be it of use or not (RFC 9111 section 4.2.1)."""
    found = _number(said.get("s-maxage")) if shared else None
    if found is None:
        found = _number(said.get("max-age"))
    return _until_expired(headers, now) if found is None else found


def _until_expired(headers: Headers, now: float) -> int:
    expires = header_of(headers, "expires")
    if expires is None:
        return 0
    # What is no date has expired (RFC 9111 section 5.3); `0` is how most of them are written.
    end, began = _moment(expires), _moment(header_of(headers, "date") or "")
    return 0 if end is None else max(0, min(int(end - (now if began is None else began)), _LONGEST))


def _moment(date: str) -> float | None:
    """An HTTP date (RFC 9110 section 5.6.7) in seconds since 1970."""
    try:
        found = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    # The oldest of its three forms names no zone; all of them are in UTC.
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


def _number(text: str | None) -> int | None:
    """None where there is none; what is no number is 0: stale."""
    if text is None:
        return None
    found = _SECONDS.fullmatch(text)
    return min(int(found[1]), _LONGEST) if found else 0
