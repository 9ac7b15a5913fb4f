"""Levels and budgets of thinking: what is one in the other, and that there is always room for an answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gateway.chat.request import Reasoning
from llm_gateway.formats.anthropic.thinking import LEAST, effort_of, own, read_reasoning, translated

efforts = st.sampled_from([None, "none", "minimal", "low", "medium", "high", "xhigh", "max"])
wishes = st.builds(
    Reasoning,
    effort=efforts,
    budget=st.none() | st.integers(-1, 100_000),
    show=st.sampled_from([None, True, False]),
)


@settings(deadline=None)
@given(wishes, st.none() | st.integers(1, 100_000))
def test_whatever_is_wished_there_is_room_for_an_answer(wish: Reasoning, max_tokens: int | None) -> None:
    found = translated(wish, max_tokens, 4_096, adaptive=False)
    if found is None:
        assert max_tokens is not None
        assert max_tokens <= LEAST
    elif found.thinking is not None:
        assert LEAST <= found.thinking["budget_tokens"] < found.max_tokens
        assert max_tokens in (None, found.max_tokens)


@settings(deadline=None)
@given(efforts.filter(lambda effort: effort is not None))
def test_more_effort_is_more_budget_and_the_other_way_round(effort: str) -> None:
    found = translated(Reasoning(effort=effort), None, 4_096, adaptive=False)  # type: ignore[arg-type]
    assert found is not None
    budget = found.thinking["budget_tokens"] if found.thinking is not None else 0
    assert effort_of(budget) == effort
    assert found.max_tokens <= 32_000


@pytest.mark.parametrize(
    ("budget", "effort"), [(-1, "none"), (0, "none"), (1, "minimal"), (5_000, "medium"), (99_999, "max")]
)
def test_a_budget_is_the_least_effort_that_has_it(budget: int, effort: str) -> None:
    assert effort_of(budget) == effort


def test_nothing_said_is_nothing_asked() -> None:
    assert read_reasoning(None, None) is None
    assert own(None, 7).thinking is None
    found = translated(None, None, 9, adaptive=True)
    assert found is not None
    assert (found.max_tokens, found.thinking, found.effort) == (9, None, "")


@settings(deadline=None)
@given(st.integers(LEAST, 9_000), st.sampled_from([None, "summarized", "omitted"]))
def test_a_budget_in_anthropics_own_words_comes_back_in_them(budget: int, display: str | None) -> None:
    said = {"type": "enabled", "budget_tokens": budget} | ({"display": display} if display else {})
    assert own(read_reasoning(said, None), 9_999).thinking == said
