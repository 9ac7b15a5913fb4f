"""How a month is going to end, from what its days and the weeks before them cost.

A coming day is expected to cost what days of its kind (Mondays, Sundays) have cost on average in the last
four weeks; with less than two weeks of history, what the average day has. No trend is read
into so few numbers.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from statistics import fmean, pstdev

from msgspec import Struct

from api_gateway.admin.period import days_in, month_of
from shared.store.columns import DAY_US

_WINDOW = 28
_WEEKS = 14
# Nine of ten months should end within the range, were days independent of each other.
_DEVIATIONS = 1.645


class Forecast(Struct, frozen=True, kw_only=True):
    """`spent_micros` so far, `expected_micros` at the month's end, between `low_micros` and `high_micros`.

    `share` is the expected part of the budget, `used_up` the day on which the budget will have been spent:
    null where there is no budget, or where it lasts.
    """

    spent_micros: int
    expected_micros: int
    low_micros: int
    high_micros: int
    learnt_days: int
    share: float | None = None
    used_up: str | None = None


def forecast(spent: Mapping[str, int], now: int, budget: int | None = None) -> Forecast:
    """`spent` maps ISO days, of which today is unfinished, to what they cost; a day that is not there cost
    nothing.
    """
    month = month_of(now)
    today = date(1970, 1, 1) + timedelta(days=now // DAY_US)
    first = today.replace(day=1)
    so_far = sum(cost for day, cost in spent.items() if first.isoformat() <= day <= today.isoformat())
    history = _history(spent, today)
    usual = _usual(history)
    left_of_today = 1 - now % DAY_US / DAY_US
    coming = [(today, usual(today) * left_of_today)]
    coming += [
        (day, usual(day)) for day in (today + timedelta(days=n) for n in range(1, days_in(month)))
        if day.month == today.month
    ]  # fmt: skip
    expected = so_far + round(sum(cost for _, cost in coming))
    spread = pstdev(cost - usual(day) for day, cost in history) if len(history) > 1 else 0.0
    margin = round(_DEVIATIONS * spread * (len(coming) - 1 + left_of_today) ** 0.5)
    return Forecast(
        spent_micros=so_far,
        expected_micros=expected,
        low_micros=max(so_far, expected - margin),
        high_micros=expected + margin,
        learnt_days=len(history),
        share=round(expected / budget, 4) if budget else None,
        used_up=_used_up(so_far, coming, budget),
    )


def _history(spent: Mapping[str, int], today: date) -> list[tuple[date, int]]:
    """The finished days since something was first spent, at most four weeks."""
    begun = min((date.fromisoformat(day) for day in spent), default=today)
    start = max(begun, today - timedelta(days=_WINDOW))
    days = (start + timedelta(days=n) for n in range((today - start).days))
    return [(day, spent.get(day.isoformat(), 0)) for day in days]


def _usual(history: list[tuple[date, int]]) -> Callable[[date], float]:
    """What a day like the given one costs."""
    mean = _mean(cost for _, cost in history)
    if len(history) < _WEEKS:
        return lambda _: mean
    kinds = {n: _mean(cost for day, cost in history if day.weekday() == n) for n in range(7)}
    return lambda day: kinds[day.weekday()]


def _mean(costs: Iterable[int]) -> float:
    found = list(costs)
    return fmean(found) if found else 0.0


def _used_up(so_far: int, coming: list[tuple[date, float]], budget: int | None) -> str | None:
    if budget is None:
        return None
    total = float(so_far)
    for day, cost in coming:
        total += cost
        if total >= budget:
            return day.isoformat()
    return None
