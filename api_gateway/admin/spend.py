"""Money, read back from the ledger: by any dimension and period, beside the period before, as FOCUS records,
and how the month is going to end.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from api_gateway.admin import Answer, Ask, Page
from api_gateway.admin.chains import micros
from api_gateway.admin.focus import DIMENSIONS as FOCUS_DIMENSIONS
from api_gateway.admin.focus import records
from api_gateway.admin.forecast import forecast
from api_gateway.admin.period import Period, month_of, period
from api_gateway.control import Control
from shared.errors import BadRequest
from shared.store import DIMENSIONS, SpendLine, SpendQuery
from shared.store.columns import DAY_US

_FILTERS = ("team", "project", "principal", "agent", "key", "service", "model", "provider", "server", "tool")
_KNOWN = ("by", "since", "until", "compare", "shape", "tenant", *_FILTERS)
_KNOWN_AHEAD = ("by", "budget", "tenant", *_FILTERS)
_TIMES = ("hour", "day", "month")
_SHAPES = ("", "focus")
_LEARNT_DAYS = 28
_NONE = {"calls": 0, "tokens_in": 0, "tokens_out": 0, "cost_micros": 0}


async def spend(control: Control, ask: Ask) -> Answer:
    """`compare=true` adds what each line was in the period before, `shape=focus` answers with the FOCUS
    specification's columns, a line for each day and combination."""
    query = ask.query
    asked = period(query.get("since", "30d"), query.get("until", ""), control.now_us())
    compare = _flag(query, "compare")
    shape = query.get("shape", "")
    if shape not in _SHAPES:
        raise BadRequest(f"shape: {shape[:40]!r} is not known; leave it out, or say focus")
    if shape == "focus":
        found = await _lines(control, ask, FOCUS_DIMENSIONS, asked)
        return 200, {"since": asked.since, "until": asked.until, "records": records(found, asked)}
    by = _by(query.get("by", "team"))
    lines = [msgspec.to_builtins(line) for line in await _lines(control, ask, by, asked)]
    answer: dict[str, Any] = {"by": by, "since": asked.since, "until": asked.until, "lines": lines}
    if compare:
        if set(by) & set(_TIMES):
            raise BadRequest(
                f"compare: leave {', '.join(_TIMES)} out of `by`; the periods are compared whole"
            )
        before = asked.before()
        old = await _lines(control, ask, by, before)
        answer |= {"compared_with": before, "lines": _compared(lines, old)}
    return 200, answer


async def ahead(control: Control, ask: Ask) -> Answer:
    """How this calendar month (UTC) is going to end, for all together or `by` dimensions, and when `budget`
    dollars are used up.
    """
    query, now = ask.query, control.now_us()
    by = _by(query.get("by", ""))
    if set(by) & set(_TIMES):
        raise BadRequest(f"by: a forecast has no {', '.join(_TIMES)}")
    budget = micros(query["budget"], "budget") if query.get("budget") else None
    month = month_of(now)
    first = min(month.since, now // DAY_US * DAY_US - _LEARNT_DAYS * DAY_US)
    days: dict[tuple[str, ...], dict[str, int]] = {}
    for line in await _lines(control, ask, (*by, "day"), Period(first, now)):
        group = tuple(line.group[name] for name in by)
        days.setdefault(group, {})[line.group["day"]] = line.cost_micros
    if not by:
        days = days or {(): {}}
    lines = [
        {"group": dict(zip(by, group, strict=True)), **msgspec.to_builtins(forecast(spent, now, budget))}
        for group, spent in days.items()
    ]
    lines.sort(key=lambda line: -line["expected_micros"])
    return 200, {"by": by, "month": month, "at": now, "budget_micros": budget, "lines": lines}


async def _lines(control: Control, ask: Ask, by: tuple[str, ...], asked: Period) -> list[SpendLine]:
    query = ask.query
    return await control.store.spend(
        SpendQuery(
            by=by,
            since_us=asked.since,
            until_us=asked.until,
            tenant=ask.tenant(query.get("tenant")),
            **{name: query.get(name, "") for name in _FILTERS},
        )
    )


def _compared(lines: list[dict[str, Any]], old: list[SpendLine]) -> list[dict[str, Any]]:
    """Each line with `before`; what was spent on before and is not now comes last. `change` is the cost's, as
    a share of what it was; null where it was nothing.
    """
    before = {tuple(line.group.items()): msgspec.to_builtins(line) for line in old}
    now = {tuple(line["group"].items()): line for line in lines}
    gone = [{"group": dict(group), **_NONE} for group in before if group not in now]
    compared = []
    for line in [*lines, *gone]:
        past = before.get(tuple(line["group"].items()), _NONE)
        amounts = {name: past[name] for name in _NONE}
        was = amounts["cost_micros"]
        change = round((line["cost_micros"] - was) / was, 4) if was else None
        compared.append({**line, "before": amounts, "change": change})
    return compared


def _by(text: str) -> tuple[str, ...]:
    by = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [part for part in by if part not in DIMENSIONS]
    if unknown:
        raise BadRequest(f"by: {unknown[0][:40]!r} is none of {', '.join(DIMENSIONS)}")
    return by


def _flag(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name, "false")
    if text not in ("true", "false"):
        raise BadRequest(f"{name}: true or false")
    return text == "true"


PAGES = (
    Page(method="GET", path="/spend", area="spend", action="read", call=spend, query=_KNOWN),
    Page(method="GET", path="/spend/forecast", area="spend", action="read", call=ahead, query=_KNOWN_AHEAD),
)
