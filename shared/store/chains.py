"""Chains as SQL: the rows of a period, added up by the chain that they belong to."""

from shared.store.columns import MEASURES, Record, fitted
from shared.store.flavor import Bound, Flavor, matches
from shared.store.query import ChainFilter, ChainLine

_ORIGIN = ("principal", "team", "project", "key")
_MET = ("agent", "model", "server", "tool", "outcome", "decision")
_COLUMN_OF = {"agent": "actor"}
_ORDER = {"cost": "cost", "time": "last_at", "calls": "calls"}
_COUNTED = (
    "count(*) AS calls",
    "CAST(sum(CASE WHEN decision = 'deny' THEN 1 ELSE 0 END) AS BIGINT)",
    "CAST(sum(CASE WHEN decision <> 'deny' AND outcome <> 'completed' THEN 1 ELSE 0 END) AS BIGINT)",
    *(f"CAST(sum({name}) AS BIGINT)" for name in MEASURES[1:-1]),
    f"CAST(sum({MEASURES[-1]}) AS BIGINT) AS cost",
)


def statement(wanted: ChainFilter, flavor: Flavor) -> tuple[str, list[object]]:
    """The SQL of `wanted` and its values."""
    bound = Bound()
    where = _where(wanted, bound)
    for name in _ORIGIN:
        if text := getattr(wanted, name):
            where += f" AND {matches(name, text, flavor, bound)}"
    having = [
        matches(_COLUMN_OF.get(name, name), text, flavor, bound)
        for name in _MET
        if (text := getattr(wanted, name))
    ]
    if having:
        # In the same walk over the rows: as a subselect, PostgreSQL walks them once for every chain.
        having = [f"sum(CASE WHEN {' AND '.join(having)} THEN 1 ELSE 0 END) > 0"]
    if wanted.over_micros:
        having.append(f"sum(cost_micros) >= {bound(wanted.over_micros)}")
    names = ", ".join(f"max({name})" for name in ("tenant", "principal", "team", "project"))
    times = "min(started_at), max(started_at) AS last_at"
    text = f"SELECT chain, {names}, {times}, {', '.join(_COUNTED)} FROM ledger WHERE {where} GROUP BY chain"
    if having:
        text += f" HAVING {' AND '.join(having)}"
    return f"{text} ORDER BY {_ORDER[wanted.order]} DESC, chain LIMIT {bound(wanted.limit)}", bound.values


def line(record: Record) -> ChainLine:
    return ChainLine(*record)


def _where(wanted: ChainFilter, bound: Bound) -> str:
    where = f"checkpoint = 0 AND chain <> '' AND started_at >= {bound(wanted.since_us)}"
    if wanted.until_us is not None:
        where += f" AND started_at < {bound(wanted.until_us)}"
    if wanted.tenant is not None:
        where += f" AND tenant = {bound(fitted(wanted.tenant))}"
    return where
