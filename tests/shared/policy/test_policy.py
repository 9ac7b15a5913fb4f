from typing import Any

import msgspec
import pytest

from shared.policy import Approval, Decision, GroupLink, Policy, PolicyBox, PolicyRules, RoleLink, Rule
from tests.shared.policy.worlds import caller, rule
from tests.support.clock import FakeClock


def _policy(*rules: Rule, epoch: int = 1, **more: Any) -> Policy:
    return Policy.compile(PolicyRules(rules=list(rules), **more), epoch)


def _allowed(policy: Policy, obj: str, *actors: str, act: str = "invoke", **principal: Any) -> bool:
    return policy.decide_chain(caller(*actors, **principal), obj, act).allowed


def test_nothing_is_allowed_without_a_rule() -> None:
    decision = PolicyBox().current.decide_chain(caller(), "model:x", "invoke")
    assert decision == Decision(False, "", 0, "user:a", "no rule allows it")


def test_a_decision_says_which_rule_and_epoch_made_it() -> None:
    policy = _policy(rule("*", "tool:*"), rule("*", "tool:git/*", eft="deny", id="no-git"), epoch=9)
    assert policy.decide_chain(caller(), "tool:fs/x", "invoke") == Decision(
        True, "rules[0]", 9, "user:a", "rules[0] allows it"
    )
    assert policy.decide_chain(caller(), "tool:git/x", "invoke") == Decision(
        False, "no-git", 9, "user:a", "no-git denies it"
    )


def test_a_denial_wins_wherever_it_stands() -> None:
    for rules in (
        (rule("*", "*"), rule("user:a", "*", eft="deny")),
        (rule("user:a", "*", eft="deny"), rule("*", "*")),
    ):
        assert not _allowed(_policy(*rules), "model:x")


def test_tenants_are_apart() -> None:
    policy = _policy(rule("user:a", "model:*"), roles=[RoleLink(member="user:b", role="role:r", dom="acme")])
    assert _allowed(policy, "model:x")
    assert not _allowed(policy, "model:x", tenant="globex")


def test_every_principal_of_a_chain_must_be_allowed() -> None:
    policy = _policy(rule("user:a", "*"), rule("agent:p", "model:*"), rule("agent:q", "*"))
    assert _allowed(policy, "model:x", "user:a", "agent:p", "agent:q")
    decision = policy.decide_chain(caller("user:a", "agent:p", "agent:q"), "tool:git/push", "invoke")
    assert (decision.allowed, decision.hop) == (False, "agent:p")


def test_an_agent_does_not_join_the_groups_of_whom_it_acts_for() -> None:
    policy = _policy(
        rule("team:support", "*"),
        rule("tier:gold", "*"),
        rule("project:x", "*"),
        rule("role:helper", "*"),
        roles=[RoleLink(member="team:support", role="role:helper", dom="acme")],
    )
    for group in ({"team": "support"}, {"tier": "gold"}, {"project": "x"}):
        assert _allowed(policy, "model:x", "user:a", **group)
        assert not _allowed(policy, "model:x", "user:a", "agent:p", **group)


def test_a_denial_of_a_team_holds_for_what_its_members_delegate() -> None:
    policy = _policy(rule("*", "*"), rule("team:t", "tool:*", eft="deny"))
    decision = policy.decide_chain(caller("user:a", "agent:p", team="t"), "tool:git/log", "invoke")
    assert (decision.allowed, decision.hop) == (False, "user:a")


def test_conditions_of_every_hop_see_the_principal_that_the_chain_belongs_to() -> None:
    policy = _policy(
        rule("*", "*", cond='tier == "gold" and tenant == "acme" and depth == 1 and actor == "agent:p"')
    )
    assert _allowed(policy, "model:x", "user:a", "agent:p", tier="gold")
    assert not _allowed(policy, "model:x", "user:a", "agent:p", tier="free")


def test_a_chain_that_does_not_begin_with_its_principal_is_refused() -> None:
    policy = _policy(rule("*", "*"))
    for actors in ((), ("user:b",), ("agent:p", "user:a")):
        forged = msgspec.structs.replace(caller("user:a"), actors=actors)
        assert not policy.decide_chain(forged, "model:x", "invoke").allowed
        assert not policy.possible(forged, "model:x", "invoke")
        assert policy.explain(forged, "model:x", "invoke").hops == ()


def test_a_scope_narrows_and_never_widens() -> None:
    policy = _policy(rule("*", "model:*"))
    assert _allowed(policy, "model:x", scope=("model:*", "tool:*"))
    assert not _allowed(policy, "tool:git/log", scope=("model:*", "tool:*"))
    refused = policy.decide_chain(caller(scope=("tool:*",)), "model:x", "invoke")
    assert (refused.allowed, refused.rule) == (False, "scope")
    assert not policy.possible(caller(scope=("tool:*",)), "model:x", "invoke")


@pytest.mark.parametrize(
    "sub", ["role:admin", "team:root", "tier:gold", "project:x", "catalog:all", "*", "user:*", "agent:*", ""]
)
def test_nobody_gets_rights_by_being_called_like_a_group(sub: str) -> None:
    policy = _policy(
        *(
            rule(name, "*")
            for name in ("role:admin", "team:root", "tier:gold", "project:x", "*", "user:*", "agent:*")
        ),
        groups=[GroupLink(resource="model:x", catalog="catalog:all")],
    )
    assert not _allowed(policy, "model:x", sub)
    assert not policy.decide(sub, "acme", "model:x", "invoke", {}).allowed


@pytest.mark.parametrize(
    "obj", ["*", "model:*", "tool:git/*", "catalog:all", "role:admin", "", "model:x*", "**"]
)
def test_nothing_is_got_by_asking_for_a_pattern_or_a_catalog(obj: str) -> None:
    policy = _policy(
        rule("*", "*", act="*"),
        rule("*", "catalog:all", act="*"),
        rule("*", "model:*", act="*"),
        groups=[GroupLink(resource="*", catalog="catalog:all")],
    )
    assert not _allowed(policy, obj)
    assert not policy.possible(caller(), obj, "invoke")
    assert policy.explain(caller(), obj, "invoke").decision.allowed is False


@pytest.mark.parametrize(
    "obj", ["model:secret ", "MODEL:secret", "model:secret\x00", "model:s\u0435cret", "model://secret"]
)
def test_a_name_that_looks_like_another_is_another(obj: str) -> None:
    policy = _policy(rule("*", "model:secret"))
    assert not _allowed(policy, obj)


def test_glob_characters_in_a_tool_name_do_not_reach_beside_it() -> None:
    policy = _policy(rule("*", "tool:git/[a-z]*"), rule("*", "tool:fs/r?ad"))
    assert not _allowed(policy, "tool:git/log")
    assert _allowed(policy, "tool:git/[a-z]log")
    assert not _allowed(policy, "tool:fs/read")


def test_a_huge_name_is_decided_and_not_remembered() -> None:
    policy = _policy(rule("*", "model:*"), rule("*", "tool:*", cond='matches("*a*a*b", path)'))
    assert _allowed(policy, "model:" + "x" * 5_000_000)
    assert not policy.decide_chain(caller(), "tool:x", "invoke", {"path": "a" * 5_000_000}).allowed
    assert len(policy._reaches) == 1
    assert len(policy._decisions) == 0


def test_what_is_remembered_is_bounded() -> None:
    policy = Policy.compile(PolicyRules(rules=[rule("*", "*", cond="depth < 3")]), 1, memo=50)
    for n in range(500):
        assert _allowed(policy, f"model:{n}")
    assert len(policy._reaches) <= 50
    assert len(policy._decisions) <= 50


def test_answers_are_not_shared_between_callers_tenants_or_facts() -> None:
    rules = (
        rule("user:a", "model:*", cond='team == "t" and "bad" not in taint'),
        rule("team:u", "model:y"),
    )
    policy = _policy(*rules)
    facts: list[dict[str, Any]] = [{"taint": frozenset()}, {"taint": frozenset({"bad"})}, {"taint": []}, {}]
    asked = [
        (caller(sub, tenant=tenant, team=team), obj, act, fact)
        for sub in ("user:a", "user:b")
        for tenant in ("acme", "globex")
        for team in ("t", "u", "")
        for obj in ("model:x", "model:y")
        for act in ("invoke", "list")
        for fact in facts
    ]
    forgetful = Policy.compile(PolicyRules(rules=list(rules)), 1, memo=0)
    fresh = [forgetful.decide_chain(*request) for request in asked]
    assert [policy.decide_chain(*request) for request in asked] == fresh
    assert [policy.decide_chain(*request) for request in reversed(asked)] == fresh[::-1]
    assert {decision.allowed for decision in fresh} == {True, False}


@pytest.mark.parametrize(
    "args", [{"amount": [1]}, {"amount": {}}, {"amount": "1"}, {"amount": None}, [], "args", 7, None]
)
def test_arguments_of_any_shape_get_the_safe_answer(args: Any) -> None:
    allow = _policy(rule("*", "*", cond="args.amount <= 500"))
    deny = _policy(rule("*", "*"), rule("*", "*", eft="deny", cond="args.amount > 500"))
    for policy in (allow, deny):
        assert not policy.decide_chain(caller(), "tool:pay/send", "invoke", {"args": args}).allowed
        assert policy.decide_chain(caller(), "tool:pay/send", "invoke", {"args": {"amount": 5}}).allowed


def test_arguments_are_never_answered_from_memory() -> None:
    policy = _policy(rule("*", "*", cond="args.amount <= 500"))
    args = {"amount": 5}
    assert policy.decide_chain(caller(), "tool:pay/send", "invoke", {"args": args}).allowed
    args["amount"] = 5_000
    assert not policy.decide_chain(caller(), "tool:pay/send", "invoke", {"args": args}).allowed


def test_facts_cannot_change_who_calls() -> None:
    policy = _policy(rule("*", "*", cond='tier == "gold"'), rule("team:root", "*"))
    facts = {"tier": "gold", "team": "root", "hop": 0, "sub": "user:root"}
    assert not policy.decide_chain(caller(tier="free"), "model:x", "invoke", facts).allowed


def test_conditions_on_the_time_use_the_clock() -> None:
    clock = FakeClock(1_800_000_000.0)
    rules = PolicyRules(
        rules=[rule("*", "*", cond='hour >= 8 and hour < 18 and weekday not in ("sat", "sun")')]
    )
    policy = Policy.compile(rules, 1, clock=clock)
    assert _allowed(policy, "model:x")
    clock.advance(12 * 3600)
    assert not _allowed(policy, "model:x")


def test_a_list_shows_what_some_arguments_could_get() -> None:
    policy = _policy(
        rule("*", "tool:pay/*", cond="args.amount <= 500"),
        rule("*", "tool:pay/send", eft="deny", cond="args.amount > 400"),
        rule("*", "tool:pay/steal", eft="deny"),
        rule("*", "tool:fs/*", cond='tier == "gold"'),
        rule("*", "tool:web/*"),
        rule("*", "tool:web/*", eft="deny", cond='"reads:private" in taint'),
    )
    shown = ["tool:pay/send", "tool:pay/list"]
    hidden = ["tool:pay/steal", "tool:fs/read", "tool:git/log", "tool:web/get"]
    assert [obj for obj in shown + hidden if policy.possible(caller(), obj, "invoke")] == shown
    assert policy.possible(caller(), "tool:web/get", "invoke", {"taint": frozenset()})
    assert policy.possible(caller(tier="gold"), "tool:fs/read", "invoke")
    assert not policy.possible(caller("user:a", tenant="globex"), "tool:pay/send", "invoke")


def test_an_explanation_tells_every_hop_its_roles_its_rules_and_what_held() -> None:
    policy = _policy(
        rule("role:staff", "catalog:code", cond="args.amount <= 5", id="small"),
        rule("*", "tool:git/*", cond='"untrusted" not in taint', id="clean"),
        rule("user:a", "tool:git/push", eft="deny", cond="depth > 0", id="direct"),
        roles=[
            RoleLink(member="user:a", role="role:dev", dom="acme"),
            RoleLink(member="role:dev", role="role:staff", dom="acme"),
        ],
        groups=[GroupLink(resource="tool:git/*", catalog="catalog:code")],
        approvals=[Approval(sub="*", dom="*", obj="tool:git/push", act="*")],
        epoch=4,
    )
    explanation = policy.explain(
        caller("user:a", "agent:p"), "tool:git/push", "invoke", {"taint": ["untrusted"]}
    )
    user, agent = explanation.hops
    assert explanation.catalogs == ("catalog:code",)
    assert user.subjects == ("*", "user:*", "user:a", "role:dev", "role:staff")
    assert [(m.id, m.effect, m.held, m.counted) for m in user.rules] == [
        ("small", "allow", None, False),
        ("clean", "allow", False, False),
        ("direct", "deny", True, True),
        ("approvals[0]", "approval", True, True),
    ]
    assert [m.id for m in agent.rules] == ["clean", "approvals[0]"]
    assert explanation.decision == Decision(False, "direct", 4, "user:a", "direct denies it")
    assert b'"why":"what would allow it does not hold: clean"' in msgspec.json.encode(explanation)


def test_the_names_that_conditions_read_are_known() -> None:
    policy = _policy(
        rule("*", "*", cond='"x" in taint'),
        approvals=[Approval(sub="*", dom="*", obj="*", act="*", cond="args.amount > 1")],
    )
    assert policy.needs == {"taint", "args"}


def test_the_box_swaps_one_reference() -> None:
    box = PolicyBox()
    before, after = box.current, _policy(rule("*", "*"), epoch=2)
    box.replace(after)
    assert (before.epoch, box.current) == (0, after)
    assert not _allowed(before, "model:x")
