"""What is wrong with configured guards is said before any call is made, all of it, with its place."""

import pytest

from llm_gateway.guards import GUARDS
from llm_gateway.guards.problems import problems
from llm_gateway.guards.section import AnyGuardSection, JudgeSection, OutputSchemaSection, SystemPromptSection
from shared.config import Secret
from shared.config.build import Builder
from shared.guards.section import (
    Expression,
    LanguageSection,
    LengthSection,
    PiiSection,
    RegexSection,
    Topic,
    TopicsSection,
    WebhookSection,
)

GOOD: list[AnyGuardSection] = [
    PiiSection(name="pii", match={"team": "a*"}),
    RegexSection(name="re", patterns=[Expression(name="x", pattern="ab+")]),
    TopicsSection(name="t", topics=[Topic(name="x", examples=["one"])]),
    LanguageSection(name="l", allow=("en",)),
    OutputSchemaSection(name="s", schema={"type": "object"}),
    JudgeSection(name="j", url="https://gateway:8080", key=Secret("x"), model="m", policy="p"),
]


def test_what_is_right_has_none() -> None:
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        (PiiSection(name=""), "[0].name"),
        (PiiSection(name="x", match={"colour": "red"}), "[0].match.colour: unknown"),
        (PiiSection(name="x", entities=("NAMES",)), "[0].entities: 'NAMES'"),
        (PiiSection(name="x", entities=("DE_IBAN",)), "[0].entities: 'DE_IBAN' is found with a locale"),
        (PiiSection(name="x", entities=()), "[0].entities: name at least one"),
        (PiiSection(name="x", action="tokenise", on=("request",)), "[0].on: leave it empty"),
        (RegexSection(name="x", patterns=[]), "[0].patterns"),
        (
            RegexSection(name="x", patterns=[Expression(name="a", pattern="(?=x)")]),
            "[0].patterns[0].pattern: RE2",
        ),
        (
            RegexSection(name="x", patterns=[Expression(name="a", pattern="x*")]),
            "[0].patterns[0].pattern: it matches",
        ),
        (TopicsSection(name="x", topics=[]), "[0].topics"),
        (TopicsSection(name="x", topics=[Topic(name="t", examples=[" "])]), "[0].topics[0].examples"),
        (LanguageSection(name="x"), "[0].allow"),
        (LanguageSection(name="x", deny=("klingon",)), "[0].allow: 'klingon'"),
        (LengthSection(name="x"), "[0].request"),
        (OutputSchemaSection(name="x", schema={"type": "nonsense"}), "[0].schema"),
        (OutputSchemaSection(name="x", on=("request",)), "[0].on"),
        (SystemPromptSection(name="x", on=("request",)), "[0].on"),
        (WebhookSection(name="x", url="ftp://x"), "[0].url"),
        (JudgeSection(name="x", url="http://x", key=Secret(""), model="m", policy="p"), "[0].key"),
    ],
)
def test_every_mistake_is_named(section: AnyGuardSection, problem: str) -> None:
    [found] = problems([section])
    assert found.startswith(problem)


def test_two_guards_of_one_name_are_a_mistake() -> None:
    assert problems([LengthSection(name="x", reply=1), LengthSection(name="x", reply=2)]) == [
        "[1].name: 'x' is already the name of [0]"
    ]


def test_every_kind_of_section_has_its_guard() -> None:
    kinds = {section.__struct_config__.tag for section in AnyGuardSection.__args__}
    assert kinds == set(GUARDS)


def test_sections_are_told_apart_by_their_kind() -> None:
    builder = Builder()
    built = builder.build(
        [{"kind": "pii", "name": "a"}, {"kind": "length", "name": "b", "reply": 5}],
        list[AnyGuardSection],
        "guards",
    )
    assert built == [PiiSection(name="a"), LengthSection(name="b", reply=5)]
    assert builder.problems == []


@pytest.mark.parametrize("bad", [{"kind": "magic", "name": "a"}, {"name": "a"}])
def test_an_unknown_kind_is_named(bad: dict[str, str]) -> None:
    builder = Builder()
    builder.build([bad], list[AnyGuardSection], "guards")
    assert len(builder.problems) == 1
