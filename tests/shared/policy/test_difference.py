"""Two versions of a policy are compared by what they say, and a tenant sees its own part of it."""

from shared.policy import Approval, GroupLink, PolicyRules, RoleLink
from shared.policy.difference import Edit, difference, visible
from tests.shared.policy.worlds import rule


def test_edits_are_what_was_added_removed_and_changed_under_one_id() -> None:
    old = PolicyRules(
        rules=[rule("*", "model:a", id="a"), rule("*", "model:b", id="b"), rule("*", "model:c")],
        roles=[RoleLink(member="user:x", role="role:y", dom="acme")],
    )
    new = PolicyRules(
        rules=[rule("*", "model:c"), rule("*", "model:a", id="a", cond="depth == 0"), rule("*", "model:d")],
        groups=[GroupLink(resource="model:a", catalog="catalog:x")],
    )
    found = {
        (edit.kind, edit.before.get("obj", ""), edit.after.get("obj", "")) for edit in difference(old, new)
    }
    assert found == {
        ("rules", "model:a", "model:a"),
        ("rules", "model:b", ""),
        ("rules", "", "model:d"),
        ("roles", "", ""),
        ("groups", "", ""),
    }
    [changed] = [edit for edit in difference(old, new) if edit.before and edit.after]
    assert (changed.before["cond"], changed.after["cond"]) == ("", "depth == 0")
    assert difference(old, old) == []


def test_a_rule_that_is_there_twice_and_once_is_an_edit() -> None:
    twice = PolicyRules(rules=[rule("*", "model:a"), rule("*", "model:a")])
    once = PolicyRules(rules=[rule("*", "model:a")])
    [edit] = difference(twice, once)
    assert edit == Edit(kind="rules", before=edit.before, after={})


def test_a_tenant_sees_what_is_said_of_it_and_of_everybody() -> None:
    everything = PolicyRules(
        rules=[rule("*", "model:a"), rule("*", "model:b", dom="globex"), rule("*", "model:c", dom="*")],
        roles=[RoleLink(member="user:x", role="role:y", dom=dom) for dom in ("acme", "globex")],
        approvals=[Approval(sub="*", dom="globex", obj="*", act="*")],
    )
    seen = visible(everything, "acme")
    assert [one.obj for one in seen.rules] == ["model:a", "model:c"]
    assert ([link.dom for link in seen.roles], seen.approvals) == (["acme"], [])
    assert visible(everything, None) == everything
