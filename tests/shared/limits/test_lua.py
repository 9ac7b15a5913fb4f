"""The calendar inside the scripts, compared with Python's."""

from datetime import UTC, datetime, timedelta

from shared.limits.scripts import source
from shared.redis_client import Redis, Script

_WINDOW = """
local found = {}
for at = 3, #ARGV do
  local start, ends = window(ARGV[2], tonumber(ARGV[at]))
  found[#found + 1] = start
  found[#found + 1] = ends or -1
end
return found
"""


async def windows(redis: Redis, code: str, moments: list[int]) -> list[tuple[int, int]]:
    script = Script(source("counters.lua") + _WINDOW)
    flat = await redis.run(script, ["gs:{t}:x"], ["", code, *moments])
    return list(zip(flat[::2], flat[1::2], strict=True))


def month(moment: int) -> tuple[int, int]:
    start = datetime.fromtimestamp(moment, UTC).replace(day=1, hour=0, minute=0, second=0)
    ends = (start + timedelta(days=32)).replace(day=1)
    return int(start.timestamp()), int(ends.timestamp())


async def test_months_are_those_of_the_calendar(redis: Redis) -> None:
    first = int(datetime(1999, 12, 25, tzinfo=UTC).timestamp())
    moments = [first + day * 86400 + second for day in range(0, 37000, 7) for second in (0, 86399)]
    for at in range(0, len(moments), 2000):
        some = moments[at : at + 2000]
        assert await windows(redis, "M", some) == [month(moment) for moment in some]


async def test_a_month_ends_where_the_next_begins(redis: Redis) -> None:
    leap_day = int(datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC).timestamp())
    before, after = await windows(redis, "M", [leap_day, leap_day + 1])
    assert before[1] == after[0] == leap_day + 1


async def test_shorter_windows_begin_at_whole_ones(redis: Redis) -> None:
    moment = int(datetime(2026, 11, 21, 5, 23, 7, tzinfo=UTC).timestamp())
    midnight = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp())
    assert await windows(redis, "s", [moment]) == [(moment, moment + 1)]
    assert await windows(redis, "m", [moment]) == [(moment - 7, moment + 53)]
    assert await windows(redis, "h", [moment]) == [(midnight + 5 * 3600, midnight + 6 * 3600)]
    assert await windows(redis, "d", [moment]) == [(midnight, midnight + 86400)]


async def test_totals_and_concurrency_have_one_window_without_an_end(redis: Redis) -> None:
    for code in ("t", "C", "c"):
        assert await windows(redis, code, [0, 1_800_000_000]) == [(0, -1), (0, -1)]
