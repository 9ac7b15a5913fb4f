"""Which limits apply to a call, and how much of each it needs."""

import pytest

from shared.limits.plan import UNITS, Estimate, Plan, Planner, plan
from shared.limits.rule import LimitRule, Per, Unit
from tests.shared.limits.calls import FACTS, limit

MODEL_CALL = Estimate(tokens_in=10, tokens_out=90, micros=5, model_calls=1)


def needs(found: Plan) -> dict[str, int]:
    """Amounts by the name of the limit."""
    return {rule.name: int(found.arguments[6 * at + 4]) for at, rule in enumerate(found.rules)}


def stems(found: Plan) -> list[str]:
    return [str(stem) for stem in found.arguments[::6]]


@pytest.mark.parametrize(
    ("unit", "amount"),
    [
        ("requests", 1),
        ("tokens", 100),
        ("tokens_in", 10),
        ("tokens_out", 90),
        ("micros", 5),
        ("concurrency", 1),
    ],
)
def test_each_unit_takes_its_part_of_the_estimate(unit: Unit, amount: int) -> None:
    found = plan([limit(1000, unit)], FACTS, MODEL_CALL)
    assert needs(found) == {f"team-{unit}": amount}
    assert UNITS[int(found.arguments[2]) - 1] == unit


def test_tool_calls_and_agent_calls_are_counted_by_those_only() -> None:
    rules = [limit(5, "tool_calls"), limit(5, "agent_calls")]
    assert needs(plan(rules, FACTS, MODEL_CALL)) == {}
    assert needs(plan(rules, FACTS, Estimate(tool_calls=1))) == {"team-tool_calls": 1}
    assert needs(plan(rules, FACTS, Estimate(agent_calls=2))) == {"team-agent_calls": 2}


def test_tokens_of_a_model_call_count_even_if_none_are_expected() -> None:
    rules = [limit(5, "tokens"), limit(5, "micros")]
    assert needs(plan(rules, FACTS, Estimate(model_calls=1))) == {"team-tokens": 0, "team-micros": 0}
    assert needs(plan(rules, FACTS, Estimate(tool_calls=1))) == {"team-micros": 0}
    assert needs(plan(rules, FACTS, Estimate())) == {}


@pytest.mark.parametrize("per", ["key", "user", "team", "project", "tenant", "tier"])
def test_callers_without_one_share_a_counter(per: Per) -> None:
    without = {name: value for name, value in FACTS.items() if name != per}
    assert stems(plan([limit(5, per=per)], without, MODEL_CALL)) == [f"{per}-requests:requests:%"]
    assert stems(plan([limit(5, per=per)], FACTS | {per: ""}, MODEL_CALL)) == [f"{per}-requests:requests:%"]


@pytest.mark.parametrize("per", ["agent", "model", "tool", "route", "chain"])
def test_a_rule_leaves_calls_alone_that_have_none(per: Per) -> None:
    without = {name: value for name, value in FACTS.items() if name != per}
    assert needs(plan([limit(5, per=per)], without, MODEL_CALL)) == {}
    assert needs(plan([limit(5, per=per)], without | {per: "x"}, MODEL_CALL)) == {f"{per}-requests": 1}


@pytest.mark.parametrize(
    ("match", "applies"),
    [
        ({"model": "fast"}, True),
        ({"model": "slow"}, False),
        ({"model": "f*t"}, True),
        ({"model": "*w"}, False),
        ({"model": "*", "team": "support"}, True),
        ({"model": "fast", "team": "sales"}, False),
        ({"tool": "*"}, False),
        ({"tool": ""}, False),
    ],
)
def test_a_rule_applies_where_all_its_facts_match(match: dict[str, str], applies: bool) -> None:
    rule = LimitRule(name="r", per="team", unit="requests", amount=5, match=match)
    assert needs(plan([rule], FACTS, MODEL_CALL)) == ({"r": 1} if applies else {})


def test_a_plan_survives_an_outage_only_if_every_rule_of_it_does() -> None:
    lenient = LimitRule(name="a", per="team", unit="requests", amount=5, on_outage="allow")
    assert plan([], FACTS, MODEL_CALL).survives_outage
    assert plan([lenient], FACTS, MODEL_CALL).survives_outage
    assert not plan([lenient, limit(5)], FACTS, MODEL_CALL).survives_outage
    assert plan([lenient, limit(5, per="tool")], FACTS, MODEL_CALL).survives_outage


def test_plan_tells_many_lists_of_rules_apart() -> None:
    lists = [[limit(amount)] for amount in range(50)]
    for _ in range(2):
        assert [plan(rules, FACTS, MODEL_CALL).rules[0].amount for rules in lists] == list(range(50))


def test_a_planner_says_what_plan_says() -> None:
    rules = [limit(5), limit(7, "tokens", per="model", window="day")]
    assert Planner(rules).plan(FACTS, MODEL_CALL) == plan(rules, FACTS, MODEL_CALL)


def test_a_call_counts_for_each_of_its_tags() -> None:
    tagged = FACTS | {"tag": ("beta", "batch")}
    assert stems(plan([limit(5, per="tag")], tagged, MODEL_CALL)) == [
        "tag-requests:requests:beta",
        "tag-requests:requests:batch",
    ]
    assert needs(plan([limit(5, per="tag")], FACTS | {"tag": ()}, MODEL_CALL)) == {}
    assert needs(plan([limit(5, per="tag")], FACTS, MODEL_CALL)) == {}


@pytest.mark.parametrize(
    ("pattern", "counted"),
    [("beta", ["beta"]), ("b*", ["beta", "batch"]), ("*ch", ["batch"]), ("gamma", []), ("g*", [])],
)
def test_a_rule_for_some_tags_counts_only_those(pattern: str, counted: list[str]) -> None:
    tagged = FACTS | {"tag": ("beta", "batch", "old")}
    rule = limit(5, per="tag", match={"tag": pattern})
    assert stems(plan([rule], tagged, MODEL_CALL)) == [f"tag-requests:requests:{tag}" for tag in counted]
    whole = limit(5, per="team", match={"tag": pattern})
    assert bool(needs(plan([whole], tagged, MODEL_CALL))) == bool(counted)


def test_a_call_is_counted_by_who_answers_it() -> None:
    assert stems(plan([limit(5, per="provider")], FACTS | {"provider": "openai"}, MODEL_CALL)) == [
        "provider-requests:requests:openai"
    ]
