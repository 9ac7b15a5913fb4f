from typing import Any

import pytest

from shared.policy.condition import NAMES
from shared.policy.context import Context, spoken_of
from tests.shared.policy.worlds import caller
from tests.support.clock import FakeClock

PLANNER = caller("user:a", "agent:planner", team="support", tier="gold")


def _context(resource: str = "tool:git/log", facts: dict[str, Any] | None = None, hop: int = 1) -> Context:
    return Context(PLANNER, hop, resource, facts or {}, FakeClock(1_800_000_000.0))


def test_who_calls_is_the_callers_identity() -> None:
    ctx = _context()
    assert (ctx["sub"], ctx["actor"], ctx["hop"], ctx["depth"]) == ("agent:planner", "agent:planner", 1, 1)
    assert (ctx["tenant"], ctx["team"], ctx["tier"], ctx["key"]) == ("acme", "support", "gold", "k1")
    assert _context(hop=0)["sub"] == "user:a"


@pytest.mark.parametrize(
    "name", ["sub", "actor", "actors", "hop", "depth", "tenant", "team", "project", "tier", "key"]
)
def test_facts_cannot_change_who_calls(name: str) -> None:
    assert _context(facts={name: "root"})[name] == _context()[name]


def test_facts_speak_for_themselves() -> None:
    ctx = _context(facts={"tool": "renamed", "args": {"a": 1}, "hour": 3})
    assert (ctx["tool"], ctx["args"], ctx["hour"]) == ("renamed", {"a": 1}, 3)
    assert ctx["server"] == "git"
    assert ctx["tool"] == "renamed"


def test_the_time_is_utc() -> None:
    ctx = _context()
    assert (ctx["hour"], ctx["weekday"]) == (8, "fri")


@pytest.mark.parametrize(
    ("resource", "facts"),
    [
        ("model:gpt", {"model": "gpt"}),
        ("tool:git/log", {"server": "git", "tool": "git/log"}),
        ("prompt:git/review", {"server": "git"}),
        ("resource:fs/file:///x/y", {"server": "fs"}),
        ("agent:planner", {"agent": "planner"}),
        ("agent:planner/skill/plan", {"agent": "planner", "skill": "plan"}),
        ("route:billing", {}),
        ("", {}),
    ],
)
def test_a_resource_says_what_it_is(resource: str, facts: dict[str, str]) -> None:
    assert spoken_of(resource) == facts


def test_a_name_that_nobody_knows_is_absent() -> None:
    told = {"model", "agent", "skill", "provider", "labels", "taint", "tags", "args", "method", "path"}
    for name in NAMES - told:
        assert _context()[name] is not None
    for name in ("model", "provider", "taint", "tags", "args"):
        with pytest.raises(KeyError):
            _context()[name]
