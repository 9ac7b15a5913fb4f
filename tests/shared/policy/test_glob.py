import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.policy.glob import PatternIndex, covers, stems

_TEXT = st.text(alphabet="ab:/*", max_size=8)
_QUICK = settings(max_examples=300, deadline=None, database=None)


def _reference(pattern: str, name: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None


@_QUICK
@given(_TEXT, _TEXT)
def test_a_pattern_covers_what_the_equivalent_regular_expression_matches(pattern: str, name: str) -> None:
    assert covers(pattern, name) == _reference(pattern, name)


@_QUICK
@given(st.lists(_TEXT, max_size=12), _TEXT)
def test_the_index_finds_exactly_the_patterns_that_cover_a_name(patterns: list[str], name: str) -> None:
    index: PatternIndex[int] = PatternIndex()
    for place, pattern in enumerate(patterns):
        index.add(pattern, place)
    assert sorted(index.find(name, stems(name))) == [n for n, p in enumerate(patterns) if covers(p, name)]


@pytest.mark.parametrize("name", ["*", "tool:*", "tool:git/*", "tool:[a-z]", "tool:g?t"])
def test_special_characters_in_a_name_are_only_characters(name: str) -> None:
    index: PatternIndex[str] = PatternIndex()
    for pattern in ("tool:git/log", "tool:git/l*", "tool:a", "tool:got"):
        index.add(pattern, pattern)
    assert index.find(name, stems(name)) == []


@pytest.mark.parametrize("pattern", ["tool:g?t", "tool:[g]it", "tool:{git,fs}", "tool:g.t", "tool:\\*"])
def test_only_the_star_is_special_in_a_pattern(pattern: str) -> None:
    assert not covers(pattern, "tool:git")
    assert covers(pattern, pattern)


def test_a_name_made_to_be_slow_is_not() -> None:
    assert not covers("*a" * 500 + "*b*", "a" * 1_000_000)


def test_names_are_compared_as_they_are_written() -> None:
    assert not covers("tool:caf\u00e9", "tool:cafe\u0301")
    assert not covers("tool:git/*", "TOOL:GIT/log")
    assert covers("tool:*", "tool:\ud800\x00")
