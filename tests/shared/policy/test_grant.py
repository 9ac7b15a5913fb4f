import pytest

from shared.errors import Forbidden
from shared.policy import Policy, PolicyRules, authorize, granted
from tests.shared.policy.worlds import caller, rule

POLICY = Policy.compile(
    PolicyRules(rules=[rule("user:a", "*"), rule("agent:p", "model:*", id="only-models")]), 7
)


def test_a_grant_says_who_may_what_and_why() -> None:
    who = caller("user:a", "agent:p")
    grant = authorize(POLICY, who, "model:x", "invoke")
    assert (grant.caller, grant.resource, grant.action) == (who, "model:x", "invoke")
    assert (grant.decision.rule, grant.decision.epoch, grant.decision.hop) == ("only-models", 7, "agent:p")


def test_a_refusal_names_resource_action_and_the_principal_refused() -> None:
    with pytest.raises(Forbidden) as caught:
        authorize(POLICY, caller("user:a", "agent:p"), "tool:git/push", "invoke")
    assert caught.value.detail.startswith(
        "agent:p (one of the chain user:a -> agent:p) may not invoke tool:git/push: policy does not allow it"
    )
    assert caught.value.cause == "no rule allows it (epoch 7)"


def test_a_refusal_by_scope_says_so() -> None:
    with pytest.raises(Forbidden, match="the scope of the credential does not cover it"):
        authorize(POLICY, caller("user:a", scope=("model:*",)), "tool:git/log", "invoke")


def test_a_refusal_does_not_repeat_a_huge_name() -> None:
    with pytest.raises(Forbidden) as caught:
        authorize(POLICY, caller("user:b"), "tool:" + "x" * 1_000_000, "invoke")
    assert len(caught.value.detail) < 500


def test_which_rule_refused_is_not_told_to_the_caller() -> None:
    policy = Policy.compile(PolicyRules(rules=[rule("*", "*", eft="deny", id="secret-rule")]), 1)
    with pytest.raises(Forbidden) as caught:
        authorize(policy, caller(), "model:x", "invoke")
    assert "secret-rule" not in caught.value.detail
    assert "secret-rule" in str(caught.value.cause)


def test_a_decision_made_earlier_can_be_turned_into_its_grant() -> None:
    who = caller()
    decision = POLICY.decide_chain(who, "model:x", "invoke")
    assert granted(decision, who, "model:x", "invoke").decision is decision
