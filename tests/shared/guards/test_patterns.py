"""Expressions in linear time, and what may still become a match of one."""

import re

import pytest
import re2  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Forbidden
from shared.guards.patterns import Patterns
from shared.guards.prefix import Unknown, beginnings
from shared.guards.section import Expression, RegexSection
from shared.guards.spans import Span
from tests.shared.guards.calls import Call, last, pieces

# Each with a match of it.
EXPRESSIONS = [
    (r"secret", "secret"),
    (r"(?i)top\s+secret", "Top  SECRET"),
    (r"\bAKIA[A-Z0-9]{4}\b", "AKIA12AB"),
    (r"a{2,4}b*c+", "aaabbc"),
    (r"(?:cat|dog(?:gy)?) food", "doggy food"),
    (r"x[^y]{1,20}y", "x123y"),
    (r"(?P<n>\d{2,3})-(?:ab)+?c", "123-ababc"),
    (r"(?s)begin.{0,5}end", "begin\n\nend"),
    (r"[\w.]{3,12}@[a-z]+", "me.you@home"),
]


@pytest.mark.parametrize(("pattern", "match"), EXPRESSIONS)
def test_every_beginning_of_a_match_may_become_one(pattern: str, match: str) -> None:
    finder = Patterns([("x", pattern)], 64)
    assert finder.find(f"- {match} -") == [Span(2, 2 + len(match), "x")]
    for end in range(1, len(match)):
        assert finder.open("- " + match[:end]) <= 2


@pytest.mark.parametrize(("pattern", "match"), EXPRESSIONS)
def test_what_cannot_become_a_match_is_not_held(pattern: str, match: str) -> None:
    text = f"- {match} - ! ?"
    assert Patterns([("x", pattern)], 64).open(text) == len(text)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([match for _, match in EXPRESSIONS] + ["se", "AKIA", "dog", "!", " ", "é", "x"]),
        max_size=6,
    ),
    st.integers(1, 6),
)
async def test_a_stream_is_redacted_like_the_whole(words: list[str], size: int) -> None:
    expressions = [Expression(name=f"p{n}", pattern=pattern) for n, (pattern, _) in enumerate(EXPRESSIONS)]
    section = RegexSection(name="mine", action="redact", patterns=expressions, max_match=64)
    text = " ".join(words)
    assert "".join(await Call(section).stream(pieces(text, size))) == await Call(section).answer(text)


def test_what_only_re2_understands_has_no_beginning_and_is_held_by_length() -> None:
    with pytest.raises(Unknown):
        beginnings(r"\pL+x")
    assert Patterns([("x", r"\pL+x")], 10).open("a" * 50) == 40


def test_a_pattern_that_takes_a_backtracking_engine_for_ever_takes_no_time() -> None:
    finder = Patterns([("x", r"(a+)+$")], 256)
    assert finder.find("a" * 100_000 + "!") == []
    assert finder.open("a" * 100_000 + "!") == 100_001


@pytest.mark.parametrize("text", ["BanaNa split", "ｂａｎａｎａ", "ba\u200bna\u00adna", "bаnana"])
async def test_dressed_up_letters_match_too(text: str) -> None:
    section = RegexSection(name="fruit", patterns=[Expression(name="b", pattern="(?i)banana")])
    call = Call(section)
    with pytest.raises(Forbidden, match="fruit"):
        await call.request(f"I want {text}")
    assert call.findings == ("guard:fruit:b", "guard:fruit:refused")


async def test_a_match_is_replaced_by_what_the_operator_wrote() -> None:
    patterns = [Expression(name="id", pattern=r"C-\d{4}", replacement="(a customer)")]
    section = RegexSection(name="ids", action="redact", patterns=patterns)
    assert last(await Call(section).request("C-1234 and C-99")) == "(a customer) and C-99"


async def test_a_match_ends_a_stream_before_it_has_gone_out() -> None:
    section = RegexSection(name="no", patterns=[Expression(name="x", pattern="forbidden word")])
    call = Call(section)
    assert await call.stream(["this is a forbidden w"]) == ["this is a ", "forbidden w"]
    with pytest.raises(Forbidden):
        await call.stream(["this is a forbidden w", "ord, said aloud"])
    assert "guard:no:x" in call.findings


def test_matches_that_overlap_are_one_find() -> None:
    finder = Patterns([("a", "abc"), ("b", "bcde")], 16)
    assert finder.find("xabcdey") == [Span(1, 6, "a")]


def test_python_and_re2_agree_on_what_is_written_for_re2() -> None:
    for pattern, match in EXPRESSIONS:
        assert re.fullmatch(pattern, match)
        assert re2.fullmatch(beginnings(pattern), match)
