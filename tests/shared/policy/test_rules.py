from pathlib import Path

import msgspec
import pytest

from shared.policy import (
    Approval,
    GroupLink,
    Policy,
    PolicyProblems,
    PolicyRules,
    RoleLink,
    Rule,
    problems,
    read_files,
)
from tests.shared.policy.worlds import rule

GOOD = PolicyRules(
    rules=[
        rule("role:dev", "tool:git/*", cond='tier == "gold"', id="dev-git"),
        rule("*", "*", dom="*", act="*", eft="deny"),
        rule("agent:*", "catalog:eng"),
    ],
    roles=[
        RoleLink(member="user:a", role="role:dev", dom="acme"),
        RoleLink(member="team:t", role="role:dev", dom="*"),
    ],
    groups=[
        GroupLink(resource="tool:*/log", catalog="catalog:eng"),
        GroupLink(resource="*", catalog="catalog:all"),
    ],
    approvals=[Approval(sub="*", dom="acme", obj="tool:pay/*", act="invoke", cond="args.amount > 500")],
)


def test_a_sound_policy_has_no_problems() -> None:
    assert problems(GOOD) == []
    assert problems(PolicyRules()) == []


def test_every_bad_condition_is_listed_with_its_path() -> None:
    rules = PolicyRules(
        rules=[rule("*", "*", cond="tier =="), rule("*", "*"), rule("*", "*", cond="nobody == 1")],
        approvals=[Approval(sub="*", dom="*", obj="*", act="*", cond="open('x')")],
    )
    found = problems(rules)
    assert [text.split(":")[0] for text in found] == ["rules[0].cond", "rules[2].cond", "approvals[0].cond"]


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        (rule("alice", "*"), "sub"),
        (rule("users:alice", "*"), "sub"),
        (rule("user:al*", "*"), "sub"),
        (rule("role:*", "*"), "sub"),
        (rule("team:*", "*"), "sub"),
        (rule("user:", "*"), "sub"),
        (rule("", "*"), "sub"),
        (rule(" user:a", "*"), "sub"),
        (rule("user:a ", "*"), "sub"),
        (rule("catalog:a", "*"), "sub"),
        (rule("*", "tools:git/*"), "obj"),
        (rule("*", ""), "obj"),
        (rule("*", "model"), "obj"),
        (rule("*", "catalog:*"), "obj"),
        (rule("*", "role:a"), "obj"),
        (rule("*", "*", dom=""), "dom"),
        (rule("*", "*", dom="acme*"), "dom"),
        (rule("*", "*", act="in*"), "act"),
        (rule("*", "*", act=" invoke"), "act"),
    ],
)
def test_a_rule_that_could_never_match_is_a_problem(bad: Rule, path: str) -> None:
    found = problems(PolicyRules(rules=[bad]))
    assert found
    assert all(text.startswith(f"rules[0].{path}: ") for text in found)


def test_links_must_name_roles_and_catalogs_as_such() -> None:
    rules = PolicyRules(
        roles=[
            RoleLink(member="user:a", role="admin", dom="acme"),
            RoleLink(member="*", role="role:a", dom="acme"),
            RoleLink(member="user:a", role="role:*", dom=""),
        ],
        groups=[
            GroupLink(resource="catalog:*", catalog="eng"),
            GroupLink(resource="tool:*", catalog="catalog:a*"),
        ],
    )
    paths = [text.split(":")[0] for text in problems(rules)]
    assert paths == [
        "roles[0].role",
        "roles[1].member",
        "roles[2].dom",
        "roles[2].role",
        "groups[0].resource",
        "groups[0].catalog",
        "groups[1].catalog",
    ]


def test_an_id_stands_once() -> None:
    found = problems(
        PolicyRules(rules=[rule("*", "*", id="x"), rule("*", "*"), rule("*", "*", id="x"), rule("*", "*")])
    )
    assert found == ["rules[2].id: 'x' is the id of rules[0] already"]


def test_roles_and_catalogs_that_follow_one_another_too_long_are_problems() -> None:
    rules = PolicyRules(
        roles=[RoleLink(member=f"role:{n}", role=f"role:{n + 1}", dom="acme") for n in range(10)],
        groups=[GroupLink(resource=f"catalog:{n}", catalog=f"catalog:{n + 1}") for n in range(10)],
    )
    assert [text.split(":")[0] for text in problems(rules)] == ["roles[0]", "groups[0]"]


def test_a_policy_with_a_problem_is_not_used_in_part() -> None:
    with pytest.raises(PolicyProblems, match=r"rules\[1\]\.cond") as caught:
        Policy.compile(PolicyRules(rules=[rule("*", "*"), rule("*", "*", cond="nobody", eft="deny")]), 1)
    assert len(caught.value.problems) == 1


def test_a_policy_survives_the_snapshot_form() -> None:
    assert msgspec.json.decode(msgspec.json.encode(GOOD), type=PolicyRules) == GOOD
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.json.decode(b'{"rule": []}', type=PolicyRules)


def test_files_are_read_beside_the_configuration_and_added_to_it(tmp_path: Path) -> None:
    (tmp_path / "policy.csv").write_text(
        "# who may what\n"
        'p, role:dev, acme, tool:git/*, invoke, tier in ["gold", "silver"], allow\n'
        "p, *, *, tool:git/push, *, , deny\n"
        "p, user:a, acme, model:*, list\n"
        "p2, *, acme, tool:pay/*, invoke, args.amount > 500\n"
        "g, user:a, role:dev, acme\n"
        "\n"
        "g2, tool:git/*, catalog:code\n"
    )
    read = read_files(msgspec.structs.replace(GOOD, files=["policy.csv"]), tmp_path)
    assert read.files == []
    assert read.rules == [
        *GOOD.rules,
        rule("role:dev", "tool:git/*", cond='tier in ["gold", "silver"]', id="policy.csv:2"),
        rule("*", "tool:git/push", dom="*", act="*", eft="deny", id="policy.csv:3"),
        rule("user:a", "model:*", act="list", id="policy.csv:4"),
    ]
    assert read.approvals[1:] == [
        Approval(sub="*", dom="acme", obj="tool:pay/*", act="invoke", cond="args.amount > 500")
    ]
    assert read.roles[2:] == [RoleLink(member="user:a", role="role:dev", dom="acme")]
    assert read.groups[2:] == [GroupLink(resource="tool:git/*", catalog="catalog:code")]
    assert problems(read) == []


def test_everything_wrong_in_all_files_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("p, *, acme, tool:x\ndeny, *, acme\np, *, *, *, *, , never\n")
    (tmp_path / "b.csv").write_bytes(b"p, \xff\n")
    with pytest.raises(PolicyProblems) as caught:
        read_files(PolicyRules(files=["a.csv", "b.csv", "c.csv"]), tmp_path)
    found = caught.value.problems
    assert [text.split(": ")[0] for text in found] == [
        "files[0]",
        "files[0]",
        "files[0]",
        "files[1]",
        "files[2]",
    ]
    assert "line 2: begins with 'deny'" in found[0]
    assert "line 1: p has 3 fields" in found[1]
    assert "line 3: the effect is allow or deny" in found[2]
