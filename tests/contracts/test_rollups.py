"""Sums that are kept beside the rows say what the rows say, also in a database that is older than they."""

import itertools
import random
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from shared.ledger.entry import Entry, Usage
from shared.ledger.row import Row, opened
from shared.store import SpendLine, SpendQuery, Store, open_store
from shared.store.columns import DAY_US, is_spend
from shared.store.cubes import CUBES, WIDE
from shared.store.schema import MIGRATIONS
from shared.store.spans import MONTH_US, SPANS
from tests.support.rows import START_US, caller, chained, entry

DIMENSIONS = (
    "tenant", "team", "project", "principal", "agent", "key", "service", "model", "provider", "server",
    "tool",
)  # fmt: skip
STAMPS = {"hour": "%Y-%m-%dT%H:00Z", "day": "%Y-%m-%d", "month": "%Y-%m"}
SERVICES = ("llm_gateway", "mcp_gateway")


def calls(count: int, rng: random.Random) -> list[Entry]:
    """Over eighty days, with three values for everything, so that every sum has several rows."""

    def one() -> Entry:
        def some(name: str) -> str:
            return f"{name}{rng.randrange(3)}"

        who = caller(
            some("user:"),
            some("tenant"),
            team=some("t"),
            project=some("p"),
            key=some("k"),
            agents=(some("agent:"),),
        )
        fields: dict[str, Any] = {"service": rng.choice(SERVICES), "cost_micros": rng.randrange(1000)}
        fields |= {name: some(name) for name in ("model", "provider", "server", "tool")}
        fields |= {"decision": "deny" if rng.random() < 0.1 else "allow"}
        usage = Usage(tokens_in=rng.randrange(100), tokens_out=rng.randrange(10))
        return entry(who, usage=usage, started_at=START_US + rng.randrange(80 * DAY_US), **fields)

    return [one() for _ in range(count)]


def described(row: Row) -> dict[str, str]:
    """The value that a row has in each dimension and period."""
    values = {name: getattr(row, "actor" if name == "agent" else name) for name in DIMENSIONS}
    began = datetime.fromtimestamp(row.started_at // 1_000_000, UTC)
    return values | {name: began.strftime(form) for name, form in STAMPS.items()}


def summed(
    rows: list[tuple[Row, dict[str, str]]], query: SpendQuery
) -> dict[tuple[str, ...], tuple[int, ...]]:
    """What a walk over the rows, each with its values, says."""
    sums: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row, values in rows:
        wanted = all(not getattr(query, name) or getattr(query, name) == values[name] for name in FILTERS)
        until = query.until_us or 2**62
        if is_spend(row) and wanted and query.since_us <= row.started_at < until:
            amounts = (1, row.tokens_in, row.tokens_out, row.cost_micros)
            place = tuple(values[name] for name in query.by)
            sums[place] = [a + b for a, b in zip(sums[place], amounts, strict=True)]
    return {place: tuple(total) for place, total in sums.items()}


FILTERS = DIMENSIONS[1:]


def told(lines: list[SpendLine]) -> dict[tuple[str, ...], tuple[int, ...]]:
    return {
        tuple(line.group.values()): (line.calls, line.tokens_in, line.tokens_out, line.cost_micros)
        for line in lines
    }


def question(rng: random.Random) -> SpendQuery:
    """One to three dimensions, a filter or none, a period with ragged ends or whole months."""
    by = tuple(rng.sample((*DIMENSIONS, *STAMPS), rng.randint(1, 3)))
    looked_at = rng.choice(FILTERS)
    value = {"principal": "user:1", "agent": "agent:1", "team": "t1", "project": "p1", "key": "k1"}
    where = {looked_at: value.get(looked_at, f"{looked_at}1")} if rng.random() < 0.5 else {}
    if "service" in where:
        where = {"service": SERVICES[0]}
    since = START_US + rng.randrange(30 * DAY_US)
    return SpendQuery(
        tenant=None, by=by, since_us=since, until_us=since + rng.randrange(80 * DAY_US), **where
    )


async def test_any_question_is_answered_as_a_walk_over_the_rows_would(store: Store) -> None:
    rng = random.Random(11)
    batch = chained(calls(1500, rng))
    for start in range(0, 1500, 500):
        await store.append(batch[start : start + 500])
    rows = [(row, described(row)) for row in (opened(sealed.body) for sealed in batch)]
    for query in (question(rng) for _ in range(60)):
        assert told(await store.spend(query)) == summed(rows, query), query
    assert await store.rollup_gap() == ""


async def test_every_kept_sum_is_compared_with_the_rows(store: Store) -> None:
    await store.append(chained(calls(20, random.Random(12))))
    tell = store._tell  # type: ignore[attr-defined]
    for cube, span in itertools.product(CUBES, SPANS):
        await tell(f"UPDATE {cube.table} SET calls = calls + 1 WHERE span = {span}")
        assert "tenant tenant" in await store.rollup_gap(), (cube.table, span)
        await tell(f"UPDATE {cube.table} SET calls = calls - 1 WHERE span = {span}")
    assert await store.rollup_gap() == ""


async def test_an_older_database_gets_the_sums_of_the_rows_that_it_has(url: str) -> None:
    rng = random.Random(13)
    batch = chained(calls(300, rng))
    older = open_store(url)
    await older.append(batch[:200])
    for step in (
        *(f"DROP TABLE {cube.table}" for cube in CUBES if cube is not WIDE),
        f"DELETE FROM {WIDE.table} WHERE span = {MONTH_US}",
        "DROP TABLE service_accounts",
        f"DELETE FROM schema_version WHERE version >= {_first_with('spend_by_model')}",
    ):
        await older._tell(step)  # type: ignore[attr-defined]
    await older.close()

    store = open_store(url)
    assert await store.rollup_gap() == ""
    # What comes later adds to what is there, also in the same hours.
    assert await store.append(batch) == 100
    assert await store.rollup_gap() == ""
    rows = [(row, described(row)) for row in (opened(sealed.body) for sealed in batch)]
    for query in (question(rng) for _ in range(20)):
        assert told(await store.spend(query)) == summed(rows, query), query
    await store.close()


def _first_with(table: str) -> int:
    found = (
        number for number, steps in enumerate(MIGRATIONS, start=1) if any(table in step for step in steps)
    )
    return next(found)
