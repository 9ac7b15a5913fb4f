"""The compiled evaluation is Casbin's: it gives the answers that stock `enforce` gives."""

from typing import Any

import pytest
from casbin.core_enforcer import EnforceContext
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from shared.identity.principal import Caller
from shared.policy import Policy, PolicyRules, in_scope
from shared.policy.enforcer import stock
from tests.shared.policy.worlds import NAMES, arguments, callers, requests, rules

pytestmark = pytest.mark.timeout(300)
# Not shrunk: what is drawn is small, and walking every rule makes shrinking take minutes.
_THOROUGH = settings(max_examples=300, deadline=None, database=None, phases=(Phase.explicit, Phase.generate))
_APPROVAL = EnforceContext("r", "p2", "e", "m2")


@_THOROUGH
@given(rules, st.lists(requests, min_size=4, max_size=12))
def test_every_decision_equals_the_one_of_stock_casbin(
    policy_rules: PolicyRules, asked: list[tuple[str, str, str, str, dict[str, Any]]]
) -> None:
    policy, forgetful = Policy.compile(policy_rules, 1), Policy.compile(policy_rules, 1, memo=0)
    enforcer = stock(policy_rules)
    expected = [enforcer.enforce(*request) for request in asked]
    approval = [
        yes and enforcer.enforce(_APPROVAL, *request) for yes, request in zip(expected, asked, strict=True)
    ]
    # Twice, so that the second answers come from the memo that all these requests share.
    for _ in range(2):
        decisions = [policy.decide(*request) for request in asked]
        assert [decision.allowed for decision in decisions] == expected
        assert [decision.approval for decision in decisions] == approval
        assert decisions == [forgetful.decide(*request) for request in asked]


@_THOROUGH
@given(rules, callers, st.sampled_from(NAMES), arguments)
def test_a_chain_is_allowed_when_stock_casbin_allows_each_of_its_principals(
    policy_rules: PolicyRules, caller: Caller, obj: str, args: dict[str, Any]
) -> None:
    policy, enforcer = Policy.compile(policy_rules, 1), stock(policy_rules)
    decision = policy.decide_chain(caller, obj, "invoke", {"args": args, "taint": frozenset()})
    who = caller.principal
    kind, _, name = obj.partition(":")
    known = {
        "actor": caller.actor,
        "actors": caller.actors,
        "depth": caller.depth,
        "tenant": who.tenant,
        "team": who.team,
        "project": who.project,
        "tier": who.tier,
        "roles": who.roles,
        "args": args,
        "taint": frozenset[str](),
        kind: name,
    }
    contexts = [known | {"sub": sub, "hop": hop} for hop, sub in enumerate(caller.actors)]
    asked = [(ctx["sub"], who.tenant, obj, "invoke", ctx) for ctx in contexts]
    allowed = in_scope(who.scope, obj) and all(enforcer.enforce(*request) for request in asked)
    assert decision.allowed == allowed
    assert decision.approval == (allowed and any(enforcer.enforce(_APPROVAL, *request) for request in asked))


@_THOROUGH
@given(rules, callers, st.sampled_from(NAMES), arguments)
def test_whatever_is_allowed_with_some_arguments_is_possible(
    policy_rules: PolicyRules, caller: Caller, obj: str, args: dict[str, Any]
) -> None:
    policy = Policy.compile(policy_rules, 1)
    if policy.decide_chain(caller, obj, "invoke", {"args": args, "taint": frozenset()}).allowed:
        assert policy.possible(caller, obj, "invoke", {"taint": frozenset()})


@_THOROUGH
@given(rules, callers, st.sampled_from(NAMES), arguments)
def test_an_explanation_ends_in_the_decision_that_it_explains(
    policy_rules: PolicyRules, caller: Caller, obj: str, args: dict[str, Any]
) -> None:
    policy = Policy.compile(policy_rules, 1)
    decision = policy.decide_chain(caller, obj, "invoke", {"args": args})
    explanation = policy.explain(caller, obj, "invoke", {"args": args})
    assert explanation.decision == decision
    for hop in explanation.hops:
        counted = [matched.effect for matched in hop.rules if matched.counted]
        assert hop.decision.allowed == ("allow" in counted and "deny" not in counted)
