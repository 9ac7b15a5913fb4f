"""What is suspicious about a policy is told all at once, and a sound policy is left alone."""

from hypothesis import given

from shared.policy import Approval, GroupLink, Policy, PolicyRules, RoleLink
from shared.policy.compiled import Index
from shared.policy.lint import Finding, lint
from tests.shared.policy.worlds import NAMES, PRINCIPALS, caller, rule, rules

STAFF = RoleLink(member="team:support", role="role:staff", dom="acme")


def told(source: PolicyRules) -> dict[str, str]:
    return {finding.place: f"{finding.level}: {finding.problem}" for finding in lint(source)}


def test_a_sound_policy_has_no_findings() -> None:
    source = PolicyRules(
        rules=[
            rule("role:staff", "model:*", cond="depth <= 3"),
            rule("agent:*", "model:small"),
            rule("agent:researcher", "catalog:reading", act="*"),
            rule("*", "tool:crm/refund", eft="deny", cond="args.amount > 500"),
            rule("user:alice", "tool:*"),
        ],
        roles=[STAFF],
        groups=[GroupLink(resource="tool:git/git_log", catalog="catalog:reading")],
        approvals=[Approval(sub="*", dom="acme", obj="tool:crm/*", act="invoke")],
    )
    assert lint(source) == []


def test_an_allowance_that_a_denial_covers_never_takes_effect() -> None:
    source = PolicyRules(
        rules=[
            rule("user:alice", "tool:crm/refund", cond="depth == 0", id="alice"),
            rule("role:staff", "tool:*", act="*", eft="deny", id="none"),
        ],
        roles=[RoleLink(member="user:alice", role="role:staff", dom="*")],
    )
    problem = "error: never takes effect: rules[1] (none) denies all of it"
    assert told(source) == {"rules[0] (alice)": problem}


def test_rules_that_add_nothing_name_the_one_that_has_said_it() -> None:
    source = PolicyRules(
        rules=[
            rule("*", "model:*", id="wide"),
            rule("user:alice", "model:fast", cond="depth == 0", id="narrow"),
            rule("user:bob", "tool:x/y", id="first"),
            rule("user:bob", "tool:x/y", id="second"),
        ]
    )
    assert told(source) == {
        "rules[1] (narrow)": "warning: adds nothing to rules[0] (wide)",
        "rules[3] (second)": "warning: is there twice, as rules[2] (first)",
    }


def test_roles_and_catalogs_that_lead_nowhere_are_told_and_denials_by_them_are_errors() -> None:
    source = PolicyRules(
        rules=[
            rule("role:ghost", "model:*", id="a"),
            rule("role:ghost", "model:x", eft="deny", id="b"),
            rule("role:staff", "model:*", dom="globex", id="c"),
            rule("*", "catalog:empty", id="d"),
        ],
        roles=[STAFF, RoleLink(member="user:x", role="role:idle", dom="acme")],
        groups=[GroupLink(resource="model:x", catalog="catalog:idle")],
    )
    assert told(source) == {
        "rules[0] (a), rules[1] (b)": "error: nobody in acme has role:ghost: never match",
        "rules[2] (c)": "warning: nobody in globex has role:staff: never matches",
        "rules[3] (d)": "warning: nothing is in catalog:empty: never matches",
        "roles": "warning: no rule gives role:idle anything",
        "groups": "warning: no rule is about catalog:idle",
    }


def test_conditions_about_what_their_calls_do_not_have_are_told() -> None:
    source = PolicyRules(
        rules=[
            rule("*", "model:*", cond="args.amount < 5", id="a"),
            rule("*", "tool:crm/*", cond="args.amount < 5", id="b"),
            rule("*", "catalog:x", cond='path == "/x"', eft="deny", id="c"),
            rule("user:x", "*", cond="args.amount < 5 and path == model", id="d"),
            rule("user:y", "model:m", cond="1 == 2", id="e"),
        ],
        groups=[GroupLink(resource="model:m", catalog="catalog:x")],
    )
    assert told(source) == {
        "rules[0] (a)": "warning: calls to model:* never have args: where that is read, it cannot match",
        "rules[2] (c)": "warning: calls to catalog:x never have path: where that is read,"
        " it matches whatever they are",
        "rules[4] (e)": "error: its condition never holds",
    }


def test_what_makes_a_policy_unusable_is_told_beside_everything_else() -> None:
    source = PolicyRules(
        rules=[rule("*", "model:*", cond="colour == 1"), rule("role:ghost", "nonsense"), rule("x", "model:*")]
    )
    found = lint(source)
    assert [finding.level for finding in found] == ["error", "error", "error", "warning"]
    assert Finding(
        level="warning", place="rules[1]", problem="nobody in acme has role:ghost: never matches"
    ) in (found)


@given(rules)
def test_a_rule_that_is_said_to_change_nothing_can_be_left_out(source: PolicyRules) -> None:
    idle = [
        finding.place
        for finding in lint(source)
        if finding.problem.startswith(("never takes effect", "adds nothing", "is there twice"))
    ]
    place = next((place for place in idle if place.startswith("rules[")), None)
    if place is None:
        return
    number = int(place[6:].split("]")[0])
    without = PolicyRules(
        rules=[one for n, one in enumerate(source.rules) if n != number],
        roles=source.roles,
        groups=source.groups,
        approvals=source.approvals,
    )
    whole, rest = Policy.compile(source, 1), Policy.compile(without, 1)
    for sub in PRINCIPALS:
        for name in NAMES:
            for team in ("t", ""):
                who = caller(sub, team=team)
                pair = [policy.decide_chain(who, name, "invoke", {}) for policy in (whole, rest)]
                assert pair[0].allowed == pair[1].allowed, (place, sub, name)


def test_ten_thousand_rules_are_looked_at_one_by_one_and_not_pair_by_pair() -> None:
    finds = 0
    find = Index.find

    def counted(self: Index, *args: object) -> object:
        nonlocal finds
        finds += 1
        return find(self, *args)  # type: ignore[arg-type]

    source = PolicyRules(rules=[rule(f"user:{n}", f"tool:s{n}/x") for n in range(2000)])
    Index.find = counted  # type: ignore[method-assign,assignment]
    try:
        assert lint(source) == []
    finally:
        Index.find = find  # type: ignore[method-assign]
    assert finds <= 2 * 2000
