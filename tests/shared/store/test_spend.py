"""A period is cut so that rollups answer as much of it as they can, and nothing twice."""

from hypothesis import given
from hypothesis import strategies as st

from shared.store.flavor import SQLITE
from shared.store.query import SpendLine, SpendQuery
from shared.store.spend import Part, lines, parts, statement

SPANS = (100, 10)
moments = st.integers(0, 2000)


def test_whole_spans_come_from_rollups_and_the_ends_from_rows() -> None:
    assert parts(95, 318, SPANS) == [
        Part(0, 95, 100),
        Part(100, 100, 300),
        Part(10, 300, 310),
        Part(0, 310, 318),
    ]
    assert parts(100, 300, SPANS) == [Part(100, 100, 300)]
    assert parts(12, 17, SPANS) == [Part(0, 12, 17)]
    assert parts(7, 7, SPANS) == []


@given(moments, moments)
def test_every_moment_of_a_period_is_answered_exactly_once(since: int, until: int) -> None:
    covered: list[int] = []
    for part in parts(since, until, SPANS):
        assert not part.span or (part.since % part.span, part.until % part.span) == (0, 0)
        covered += range(part.since, part.until)
    assert sorted(covered) == list(range(since, until))


def test_whatever_is_asked_for_is_bound() -> None:
    evil = "'; DROP TABLE ledger; --"
    sql, values = statement(
        SpendQuery(tenant=evil, tenants=evil, team=evil, model=f"{evil}*", agent=evil), SQLITE
    )
    assert "DROP" not in sql
    assert values.count(evil) == 4


def test_days_are_named_by_their_date() -> None:
    query = SpendQuery(tenant=None, by=("day", "team"))
    assert lines(query, [(20_000, "a", 1, 2, 3, 4)]) == [
        SpendLine({"day": "2024-10-04", "team": "a"}, 1, 2, 3, 4)
    ]


def test_nothing_spent_is_no_line() -> None:
    assert lines(SpendQuery(tenant=None), [(None, None, None, None)]) == []
