"""The rollups: what a batch adds to each of them, and which of them answers a question."""

from typing import Any

import pytest

from shared.ledger.entry import Entry, Usage
from shared.store.columns import CUBE, DAY_US, HOUR_US, Parsed
from shared.store.cubes import CUBES, WIDE, Cube, cube_for, rollups
from shared.store.flavor import SQLITE
from shared.store.query import SpendQuery
from shared.store.spans import MONTH_US, floor
from shared.store.spend import statement
from tests.support.rows import START_US, caller, chained, entry

AT = START_US // DAY_US * DAY_US


def added(calls: list[Entry]) -> dict[Cube, list[dict[str, Any]]]:
    found = rollups(Parsed(chained(calls)).records.values())
    return {cube: [dict(zip(cube.columns, line, strict=True)) for line in lines] for cube, lines in found}


def amounts(line: dict[str, Any]) -> tuple[int, ...]:
    return line["calls"], line["tokens_in"], line["tokens_out"], line["cost_micros"]


@pytest.mark.parametrize("cube", CUBES, ids=lambda cube: cube.table)
def test_each_hour_day_and_month_of_a_combination_is_added_up(cube: Cube) -> None:
    starts = [AT, AT + HOUR_US - 1, AT + HOUR_US, AT + DAY_US]
    usage = Usage(tokens_in=2, tokens_out=3)
    lines = added([entry(started_at=start, cost_micros=1, usage=usage) for start in starts])[cube]
    assert {(line["span"], line["start"]): amounts(line) for line in lines} == {
        (HOUR_US, AT): (2, 4, 6, 2),
        (HOUR_US, AT + HOUR_US): (1, 2, 3, 1),
        (HOUR_US, AT + DAY_US): (1, 2, 3, 1),
        (DAY_US, AT): (3, 6, 9, 3),
        (DAY_US, AT + DAY_US): (1, 2, 3, 1),
        (MONTH_US, floor(AT, MONTH_US)): (4, 8, 12, 4),
    }
    places = [(line["span"], line["start"], line["cube"]) for line in lines]
    assert places == sorted(places)
    assert {line["tenant"] for line in lines} == {"acme"}


def test_a_combination_has_a_line_of_its_own_where_its_dimensions_are_kept() -> None:
    lines = added([entry(started_at=AT, model=model) for model in ("one", "other")])
    for cube in CUBES:
        hours = [line for line in lines[cube] if line["span"] == HOUR_US]
        expected = [("one", 1), ("other", 1)] if "model" in cube.dimensions else [(None, 2)]
        assert sorted((line.get("model"), line["calls"]) for line in hours) == expected


def test_the_first_cube_that_has_all_dimensions_of_a_question_answers_it() -> None:
    assert [cube_for(cube.dimensions) for cube in CUBES] == list(CUBES)
    assert cube_for({"tenant", "team", "model"}).table == "spend_by_model"
    assert cube_for({"tenant", "principal"}).table == "spend_by_principal"
    assert cube_for({"tool"}).table == "spend_by_tool"
    assert cube_for({"actor"}).table == "spend_by_agent"
    assert cube_for({"principal", "model"}) is WIDE
    assert set(WIDE.dimensions) == set(CUBE)


@pytest.mark.parametrize(
    ("query", "table"),
    [
        (SpendQuery(tenant=None, by=("team", "model")), "spend_by_model"),
        (SpendQuery(tenant="acme", by=("agent", "day")), "spend_by_agent"),
        (SpendQuery(tenant=None, by=("team",), tool="git/*"), "spend_by_tool"),
        (SpendQuery(tenant=None, by=("month",), principal="user:a"), "spend_by_principal"),
        (SpendQuery(tenant=None, by=("model",), agent="agent:*"), "spend"),
    ],
)
def test_a_question_is_answered_from_the_cube_that_has_what_it_groups_by_and_looks_at(
    query: SpendQuery, table: str
) -> None:
    sql, _ = statement(query, SQLITE)
    assert f"FROM {table} WHERE" in sql


def test_only_what_is_spend_is_added_up() -> None:
    assert added([entry(caller(), decision="deny"), entry(resource="route:llm")]) == {}
