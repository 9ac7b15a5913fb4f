"""Periods of reports: from when until when, the same stretch before, and how a month is going to end."""

import calendar
import re
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from shared.errors import BadRequest

_AGO = re.compile(r"([0-9]{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_US = 1_000_000
_THIS, _LAST = "this-month", "last-month"
_LONGEST_US = 2**62


class Period(Struct, frozen=True):
    """`since <= t < until`, in microseconds since 1970."""

    since: int
    until: int

    def before(self) -> "Period":
        """What to compare it with: the whole month before a whole month, else as long a stretch before."""
        start, end = _date(self.since), _date(self.until)
        first = start == _month_start(start)
        if first and end == _next_month(start):
            return Period(_stamp(_month_start(start - timedelta(days=1))), self.since)
        if first and end <= _next_month(start):
            # So far this month is held against as much of the last one.
            last = _month_start(start - timedelta(days=1))
            return Period(_stamp(last), min(_stamp(last) + self.until - self.since, self.since))
        return Period(max(2 * self.since - self.until, 0), self.since)


def period(since: str, until: str, now: int) -> Period:
    """`since` and `until` are `7d`, `12h` (that long ago), an ISO date, `2026-03`, `this-month` or
    `last-month`. A month alone is all of it. Raises BadRequest.
    """
    start = _month(since, now)
    if start is not None and not until:
        return Period(_stamp(start), min(_stamp(_next_month(start)), max(now, _stamp(start))))
    found = Period(moment(since, "since", now), moment(until or "0s", "until", now))
    if found.since > found.until:
        raise BadRequest("since: the period ends before it begins")
    return found


def moment(text: str, name: str, now: int) -> int:
    """Raises BadRequest."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return max(now - int(ago[1]) * _SECONDS[ago[2]] * _US, 0)
    month = _month(text, now)
    if month is not None:
        return _stamp(month)
    try:
        found = datetime.fromisoformat(text)
        return max(_stamp(found if found.tzinfo else found.replace(tzinfo=UTC)), 0)
    except (ValueError, OverflowError) as error:
        raise BadRequest(
            f"{name}: {text[:40]!r} is neither an ISO date nor like 30m, 12h, 7d, 4w, 2026-03, {_THIS},"
            f" {_LAST}"
        ) from error


def month_of(now: int) -> Period:
    """The calendar month (UTC) that `now` lies in."""
    start = _month_start(_date(now))
    return Period(_stamp(start), _stamp(_next_month(start)))


def days_in(month: Period) -> int:
    start = _date(month.since)
    return calendar.monthrange(start.year, start.month)[1]


def _month(text: str, now: int) -> datetime | None:
    this = _month_start(_date(now))
    if text in (_THIS, _LAST):
        return this if text == _THIS else _month_start(this - timedelta(days=1))
    match = _MONTH.fullmatch(text)
    if match is None or not 1 <= int(match[2]) <= 12 or not 1970 <= int(match[1]) < 9000:
        return None
    return datetime(int(match[1]), int(match[2]), 1, tzinfo=UTC)


def _date(stamp: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=min(stamp, _LONGEST_US // 64))


def _stamp(date: datetime) -> int:
    return (date - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _month_start(date: datetime) -> datetime:
    return date.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next_month(date: datetime) -> datetime:
    return _month_start(_month_start(date) + timedelta(days=32))
