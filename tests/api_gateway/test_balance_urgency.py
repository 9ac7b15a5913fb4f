"""Who goes first is said by policy and configuration; a client only says how long it will wait."""

import math
from typing import Any

import pytest

from api_gateway.balance.settings import Concurrency, Priority
from api_gateway.balance.urgency import HEADER, Urgencies
from api_gateway.config import Section, problems
from api_gateway.http_route import HttpRoute
from shared.errors import BadRequest
from shared.policy import Policy, PolicyBox, PolicyRules, RoleLink
from tests.support.exchange import exchange
from tests.support.serve import someone

RULES = (
    Priority(priority=9, role="role:oncall"),
    Priority(priority=-5, principal="service:batch", headers={"X-Batch": "*"}),
    Priority(priority=3, tier="gold"),
)


def priority(*actors: str, headers: dict[str, str] | None = None, **principal: Any) -> int:
    roles = [RoleLink(member="team:ops", role="role:oncall", dom="acme")]
    box = PolicyBox(Policy.compile(PolicyRules(roles=roles), 1))
    return Urgencies(RULES, box).of(exchange(headers=headers), someone(*actors, **principal)).priority


def test_the_first_rule_that_fits_counts() -> None:
    assert priority() == 0
    assert priority(tier="gold") == 3
    assert priority(tier="gold", team="ops") == 9
    assert priority(tier="gold", team="ops", tenant="other") == 3


def test_an_agent_goes_with_the_priority_of_whom_it_works_for() -> None:
    assert priority("user:alice", "agent:planner", tier="gold") == 3


def test_a_header_only_counts_from_whom_the_rule_names() -> None:
    assert priority("service:batch", headers={"x-batch": "1"}) == -5
    assert priority("service:batch") == 0
    assert priority(headers={"x-batch": "1"}) == 0
    rule = Concurrency(limit=1, priorities=[Priority(priority=1, headers={"x-vip": "1"})])
    route = HttpRoute(name="r", prefix="/r", urls=["http://a"], concurrency=rule)
    [problem] = problems(Section(routes=[route]))
    assert "anybody's claim" in problem


@pytest.mark.parametrize(("said", "patience"), [("2.5", 2.5), ("0.001", 0.001), ("86400", 86_400.0)])
def test_a_client_says_how_long_it_waits(said: str, patience: float) -> None:
    assert Urgencies().of(exchange(headers={HEADER: said}), someone()).patience == patience
    assert Urgencies().of(exchange(headers={HEADER: said}), someone(), 1.0).patience == patience - 1
    assert Urgencies().of(exchange(), someone(), 1.0).patience == math.inf


@pytest.mark.parametrize("said", ["", "0", "-1", "1s", "inf", "nan", "1e9", "86401", "99999", "1, 2"])
def test_what_is_no_deadline_is_refused(said: str) -> None:
    with pytest.raises(BadRequest, match=HEADER):
        Urgencies().of(exchange(headers={HEADER: said}), someone())
