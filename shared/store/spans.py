"""The stretches of time that sums are kept for: hours, days and calendar months, all in UTC."""

from shared.store.columns import DAY_US, HOUR_US

MONTH_US = 31 * DAY_US  # the name of a month; how long one is, the calendar says
# Longest first.
SPANS = (MONTH_US, DAY_US, HOUR_US)


def floor(at: int, span: int) -> int:
    """When the stretch that `at` lies in begins; microseconds since 1970."""
    if span == MONTH_US:
        return _month_of(at // DAY_US) * DAY_US
    return at // span * span


def ceil(at: int, span: int) -> int:
    """The first beginning of a stretch that is not before `at`."""
    begun = floor(at, span)
    return begun if begun == at else floor(begun + span, span)


def _month_of(day: int) -> int:
    """The first day of the month that `day` lies in, both counted from 1970: in whole numbers, since the
    calendar of the standard library ends before the largest number that a row may hold.

    Years begin in March here, so that the day that some have more is their last.
    """
    since_march_0 = day + 719_468
    in_era = since_march_0 % 146_097
    year = (in_era - in_era // 1_460 + in_era // 36_524 - in_era // 146_096) // 365
    in_year = in_era - (365 * year + year // 4 - year // 100)
    month = (5 * in_year + 2) // 153
    return day - (in_year - (153 * month + 2) // 5)
