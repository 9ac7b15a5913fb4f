import pytest

from shared.policy.names import anyof, groups, membership, nameable


@pytest.mark.parametrize(
    "sub", ["role:admin", "team:t", "project:x", "tier:gold", "catalog:a", "*", "user:*", ""]
)
def test_nobody_can_be_called_like_a_group_or_a_pattern(sub: str) -> None:
    assert not nameable(sub, "acme", "tool:git/log", "invoke")


@pytest.mark.parametrize("obj", ["catalog:a", "role:admin", "team:t", "*", "tool:*", "tool:git/*/x", ""])
def test_nothing_can_be_asked_for_like_a_group_or_a_pattern(obj: str) -> None:
    assert not nameable("user:a", "acme", obj, "invoke")


@pytest.mark.parametrize(("dom", "act"), [("*", "invoke"), ("", "invoke"), ("acme", "*"), ("acme", "")])
def test_a_tenant_and_an_action_are_named(dom: str, act: str) -> None:
    assert not nameable("user:a", dom, "tool:git/log", act)


def test_everything_else_may_be_asked_about() -> None:
    assert nameable("user:a", "acme", "resource:fs/file:///role:admin?x=[1]", "read")


def test_everybody_of_a_kind_has_a_name() -> None:
    assert anyof("agent:planner") == "agent:*"
    assert anyof("nobody") == "*"


def test_groups_count_only_where_the_chain_begins() -> None:
    ctx = {"team": "t", "project": "", "tier": ["gold"]}
    assert groups(*membership(ctx)) == ["team:t"]
    assert groups(*membership(ctx | {"hop": 0})) == ["team:t"]
    assert groups(*membership(ctx | {"hop": 1})) == []
