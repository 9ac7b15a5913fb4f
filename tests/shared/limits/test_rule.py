"""What an operator may write as a limit."""

import msgspec
import pytest

from shared.limits.rule import LimitRule, problems
from tests.shared.limits.calls import limit


def test_a_rule_is_read_from_configuration_with_its_defaults() -> None:
    rule = msgspec.convert({"name": "rpm", "per": "key", "unit": "requests", "amount": 60}, LimitRule)
    assert (rule.window, rule.match, rule.on_outage) == ("minute", {}, "refuse")


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": -1},
        {"amount": 2**53},
        {"amount": 1.5},
        {"per": "galaxy"},
        {"unit": "bytes"},
        {"window": "week"},
        {"on_outage": "maybe"},
        {"colour": "red"},
        {"alerts": [0]},
        {"alerts": [101]},
    ],
)
def test_anything_else_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "rpm", "per": "key", "unit": "requests", "amount": 60} | wrong, LimitRule)


def test_two_limits_on_one_unit_need_two_names() -> None:
    rules = [limit(1, name="a"), limit(1, "tokens", name="a"), limit(2, name="a"), limit(3, name="b")]
    assert problems(rules) == ["[2].name: 'a' already limits requests in [0]"]


def test_a_limit_needs_a_name() -> None:
    rule = LimitRule(name="", per="key", unit="requests", amount=1)
    assert problems([rule]) == ["[0].name: a limit needs a name, callers are told it when they reach it"]


def test_calls_under_way_cannot_be_used_up() -> None:
    rules = [limit(9, "concurrency", alerts=(50,)), limit(9, "micros", alerts=(50, 80, 100))]
    assert problems(rules) == ["[0].alerts: calls that are under way are never used up"]
