"""Roles that an identity provider gives: for rules like any other, and only where the chain begins."""

from typing import Any

from shared.policy import Policy, PolicyRules, RoleLink
from shared.policy.document import PolicyTest
from shared.policy.trial import tried
from tests.shared.policy.worlds import caller, rule

READS = rule("role:auditor", "admin:keys", act="read")


def allowed(policy: Policy, *actors: str, **principal: object) -> bool:
    return policy.decide_chain(caller(*actors, **principal), "admin:keys", "read").allowed


def test_a_given_role_counts_for_rules_and_for_the_roles_above_it() -> None:
    policy = Policy.compile(PolicyRules(rules=[READS]), 1)
    assert allowed(policy, roles=("auditor",))
    assert not allowed(policy, roles=("sales",))
    assert not allowed(policy)
    above = RoleLink(member="role:intern", role="role:auditor", dom="acme")
    policy = Policy.compile(PolicyRules(rules=[READS], roles=[above]), 1)
    assert allowed(policy, roles=("intern",))
    assert not allowed(policy, tenant="globex", roles=("intern",))


def test_an_agent_does_not_get_the_roles_of_whom_it_acts_for() -> None:
    policy = Policy.compile(PolicyRules(rules=[READS]), 1)
    assert not allowed(policy, "user:a", "agent:p", roles=("auditor",))
    agents = rule("agent:*", "admin:keys", act="read")
    assert allowed(
        Policy.compile(PolicyRules(rules=[READS, agents]), 1), "user:a", "agent:p", roles=("auditor",)
    )


def test_one_persons_roles_are_never_anothers_answer() -> None:
    policy = Policy.compile(PolicyRules(rules=[READS]), 1)
    for _ in range(2):
        assert allowed(policy, roles=("auditor",))
        assert not allowed(policy, roles=())
        assert not allowed(policy, roles=("auditor ",))


def test_conditions_read_them_and_no_fact_replaces_them() -> None:
    asks = rule("*", "admin:keys", act="read", cond='"auditor" in roles')
    policy = Policy.compile(PolicyRules(rules=[asks]), 1)
    assert allowed(policy, roles=("auditor",))
    told = policy.decide_chain(caller(), "admin:keys", "read", {"roles": ("auditor",)})
    assert not told.allowed


def test_a_policys_own_examples_can_have_them() -> None:
    policy = Policy.compile(PolicyRules(rules=[READS]), 1)
    example: dict[str, Any] = {"sub": "user:a", "dom": "acme", "obj": "admin:keys", "act": "read"}
    wanted = PolicyTest(**example, ctx={"roles": ["auditor"]}, expect="allow")
    assert tried(policy, [wanted, PolicyTest(**example, expect="deny")]) == []
