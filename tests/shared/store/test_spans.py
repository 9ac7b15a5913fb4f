"""Hours, days and months begin where the calendar says, however far away."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.store.columns import DAY_US, HOUR_US
from shared.store.spans import MONTH_US, SPANS, ceil, floor

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
moments = st.datetimes(datetime(1970, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))
stamps = st.integers(0, 2**62)


def stamp(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@given(moments)
def test_a_month_begins_on_its_first_day(moment: datetime) -> None:
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert floor(stamp(moment), MONTH_US) == stamp(first)
    following = (first + timedelta(days=32)).replace(day=1)
    assert ceil(stamp(moment), MONTH_US) == stamp(first if moment == first else following)


@given(stamps, st.sampled_from(SPANS))
def test_every_moment_lies_between_the_beginnings_of_its_stretch_and_the_next(at: int, span: int) -> None:
    begun, following = floor(at, span), ceil(at + 1, span)
    assert begun <= at < following <= begun + span
    assert (floor(begun, span), ceil(begun, span)) == (begun, begun)


def test_hours_and_days_are_those_of_utc() -> None:
    assert floor(3 * DAY_US + 5 * HOUR_US + 7, HOUR_US) == 3 * DAY_US + 5 * HOUR_US
    assert ceil(3 * DAY_US + 7, DAY_US) == 4 * DAY_US
