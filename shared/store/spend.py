"""Spend as SQL: whole months, days and hours come from the rollups, a period's ragged ends from the rows."""

from datetime import UTC, datetime

from msgspec import Struct

from shared.errors import BadRequest
from shared.store.columns import DAY_US, HOUR_US, MEASURES, fitted
from shared.store.cubes import Cube, cube_for
from shared.store.flavor import Bound, Flavor, matches
from shared.store.query import DIMENSIONS, SpendLine, SpendQuery
from shared.store.spans import MONTH_US, SPANS, ceil, floor

_FOREVER = 2**62
_COLUMN_OF = {"agent": "actor", "day": f"(at / {DAY_US})", "hour": f"(at / {HOUR_US})"}
_LONGEST = {"hour": HOUR_US, "day": DAY_US, "month": MONTH_US}
_FILTERS = ("team", "project", "principal", "agent", "key", "service", "model", "provider", "server", "tool")


class Part(Struct, frozen=True):
    """A stretch of time, and the rollup that answers it; `span` 0 means the rows."""

    span: int
    since: int
    until: int


def parts(since: int, until: int, spans: tuple[int, ...] = SPANS) -> list[Part]:
    """`since <= start < until`, cut so that as much as possible falls on whole spans."""
    if since >= until:
        return []
    if not spans:
        return [Part(0, since, until)]
    span, finer = spans[0], spans[1:]
    first, last = ceil(since, span), floor(until, span)
    if first >= last:
        return parts(since, until, finer)
    return [*parts(since, first, finer), Part(span, first, last), *parts(last, until, finer)]


def statement(query: SpendQuery, flavor: Flavor) -> tuple[str, list[object]]:
    """The SQL of `query` and its values. Raises BadRequest on a dimension that is none."""
    unknown = [name for name in query.by if name not in DIMENSIONS]
    if unknown:
        raise BadRequest(f"spend has no dimension {', '.join(unknown)}; there are {', '.join(DIMENSIONS)}")
    bound = Bound()
    columns = _COLUMN_OF | {"month": flavor.month.format(at="at")}
    dimensions = [columns.get(name, name) for name in query.by]
    # A day's sum cannot be told apart by hours, nor a month's by days.
    finest = min((_LONGEST[name] for name in query.by if name in _LONGEST), default=MONTH_US)
    spans = tuple(span for span in SPANS if span <= finest)
    until = _FOREVER if query.until_us is None else query.until_us
    stretches = parts(query.since_us, until, spans) or [Part(0, 0, 0)]
    cube = cube_for(_columns(query))
    sources = [_source(part, cube, bound) for part in stretches]
    sums = [f"CAST(sum({name}) AS BIGINT)" for name in MEASURES]
    text = f"SELECT {', '.join(dimensions + sums)} FROM ({' UNION ALL '.join(sources)}) AS part"
    text += f" WHERE {' AND '.join(_conditions(query, flavor, bound))}"
    if dimensions:
        numbers = ", ".join(str(number + 1) for number in range(len(dimensions)))
        # The costliest line first, then the busiest.
        text += f" GROUP BY {numbers} ORDER BY sum(cost_micros) DESC, sum(calls) DESC, {numbers}"
    return text, bound.values


def lines(query: SpendQuery, rows: list[tuple[object, ...]]) -> list[SpendLine]:
    width = len(query.by)
    found = []
    for row in rows:
        group = {name: _label(name, value) for name, value in zip(query.by, row[:width], strict=True)}
        amounts = [value if isinstance(value, int) else 0 for value in row[width:]]
        if width or amounts[0]:
            found.append(SpendLine(group, *amounts))
    return found


def _columns(query: SpendQuery) -> set[str]:
    """The dimensions that the query groups by or looks at."""
    wanted = {name for name in query.by if name not in _LONGEST}
    wanted |= {name for name in _FILTERS if getattr(query, name)}
    return {_COLUMN_OF.get(name, name) for name in wanted} | {"tenant"}


def _source(part: Part, cube: Cube, bound: Bound) -> str:
    names = ", ".join(cube.dimensions)
    if part.span:
        where = f"span = {bound(part.span)} AND start >= {bound(part.since)} AND start < {bound(part.until)}"
        return f"SELECT start AS at, {names}, {', '.join(MEASURES)} FROM {cube.table} WHERE {where}"
    where = f"spent = 1 AND started_at >= {bound(part.since)} AND started_at < {bound(part.until)}"
    return (
        f"SELECT started_at AS at, {names}, 1 AS calls, {', '.join(MEASURES[1:])} FROM ledger WHERE {where}"
    )


def _conditions(query: SpendQuery, flavor: Flavor, bound: Bound) -> list[str]:
    found = ["1 = 1"]
    if query.tenant is not None:
        # Never a pattern: a tenant named `a*` must not see another's spend.
        found.append(f"tenant = {bound(fitted(query.tenant))}")
    if query.tenants:
        found.append(matches("tenant", query.tenants, flavor, bound))
    for name in _FILTERS:
        wanted: str = getattr(query, name)
        if wanted:
            found.append(matches(_COLUMN_OF.get(name, name), wanted, flavor, bound))
    return found


def _label(dimension: str, value: object) -> str:
    if dimension == "day" and isinstance(value, int):
        return datetime.fromtimestamp(value * DAY_US // 1_000_000, UTC).date().isoformat()
    if dimension == "hour" and isinstance(value, int):
        return datetime.fromtimestamp(value * HOUR_US // 1_000_000, UTC).strftime("%Y-%m-%dT%H:00Z")
    return "" if value is None else str(value)
