"""Questions to a whole policy are answered as single calls would be decided, and promise nothing more."""

from hypothesis import given
from hypothesis import strategies as st

from shared.identity.principal import Caller, Principal
from shared.policy import GroupLink, Policy, PolicyRules, RoleLink
from shared.policy.glob import covers
from shared.policy.survey import Holder, Someone, askable, survey_of
from tests.shared.policy.worlds import NAMES, PATTERNS, PRINCIPALS, rule, rules

ALICE = Someone(name="user:alice", tenant="acme", team="support")
BOB = Someone(name="user:bob", tenant="acme", team="sales")
PLANNER = Someone(name="agent:planner", tenant="acme")
PEOPLE = (ALICE, BOB, PLANNER)


def asked(source: PolicyRules, resource: str, action: str = "invoke", **facts: object) -> dict[str, Holder]:
    survey = survey_of(Policy.compile(source, 1))
    found = survey.who_can(action, resource, [*PEOPLE, *survey.known()], facts)
    return {holder.someone.name: holder for holder in found}


@given(rules, st.sampled_from(PRINCIPALS), st.sampled_from(NAMES), st.sampled_from(("t", "")))
def test_whoever_can_always_is_allowed_and_whoever_cannot_is_refused(
    source: PolicyRules, sub: str, obj: str, team: str
) -> None:
    policy = Policy.compile(source, 1)
    someone = Someone(name=sub, tenant="acme", team=team, project="", tier="gold")
    holders = survey_of(policy).who_can("invoke", obj, [someone])
    principal = Principal(sub=sub, tenant="acme", team=team, tier="gold")
    caller = Caller(principal=principal, actors=(sub,), chain="c", credential="key")
    for facts in (
        {},
        {"args": {"amount": 1}, "taint": ()},
        {"args": {"amount": 501}, "taint": ("untrusted",)},
    ):
        decision = policy.decide_chain(caller, obj, "invoke", facts)
        if not holders:
            assert not decision.allowed, decision
        elif holders[0].standing.verdict == "always":
            assert decision.allowed, decision
        if decision.approval:
            assert holders[0].standing.approval


@given(rules, st.sampled_from(PATTERNS), st.sampled_from(NAMES))
def test_whoever_can_always_do_all_of_a_pattern_can_do_each_of_it(
    source: PolicyRules, pattern: str, name: str
) -> None:
    survey = survey_of(Policy.compile(source, 1))
    someone = Someone(name="user:a", tenant="acme", team="t", project="", tier="")
    whole = survey.who_can("invoke", pattern, [someone])
    if survey.who_can("invoke", name, [someone]) and name in _covered(pattern):
        assert whole
    if whole and whole[0].standing.verdict == "always" and name in _covered(pattern):
        assert survey.who_can("invoke", name, [someone])[0].standing.verdict == "always"


@given(rules, st.sampled_from((*NAMES, *PATTERNS)))
def test_everybody_is_told_what_they_would_be_told_alone(source: PolicyRules, resource: str) -> None:
    """People whom the same rules are about share an answer only as far as no condition tells them apart."""
    survey = survey_of(Policy.compile(source, 1))
    people = [
        Someone(name=name, tenant=tenant, team=team, project="", tier=tier)
        for name in PRINCIPALS
        for tenant, team, tier in (("acme", "t", "gold"), ("acme", "", "free"), ("globex", "t", "gold"))
    ]
    facts = {"args": {"amount": 1}, "team": "t"}
    together = survey.who_can("invoke", resource, people, facts)
    alone = [holder for one in people for holder in survey.who_can("invoke", resource, [one], facts)]
    assert [(holder.someone, holder.standing) for holder in together] == [
        (holder.someone, holder.standing) for holder in alone
    ]


@given(rules)
def test_what_somebody_can_is_what_who_can_says_of_them(source: PolicyRules) -> None:
    survey = survey_of(Policy.compile(source, 1))
    someone = Someone(name="user:a", tenant="acme", team="t", project="", tier="")
    can = survey.what_can(someone)
    for line in can:
        if line.action == "invoke":
            [holder] = survey.who_can("invoke", line.resource, [someone])
            assert holder.standing == line.standing
    for name in NAMES:
        if survey.who_can("invoke", name, [someone]):
            assert can


def test_roles_teams_wildcards_and_catalogs_lead_to_people() -> None:
    source = PolicyRules(
        rules=[
            rule("role:staff", "catalog:customers", id="staff"),
            rule("agent:*", "tool:crm/*", id="agents"),
            rule("user:bob", "tool:crm/refund", eft="deny", id="not-bob"),
        ],
        roles=[RoleLink(member="team:support", role="role:staff", dom="acme")],
        groups=[
            GroupLink(resource="tool:crm/*", catalog="catalog:crm"),
            GroupLink(resource="catalog:crm", catalog="catalog:customers"),
        ],
    )
    assert set(asked(source, "tool:crm/refund")) == {
        "user:alice", "agent:planner", "team:support", "agent:*",
    }  # fmt: skip
    assert asked(source, "tool:crm/refund")["user:alice"].standing.through == ("role:staff",)
    for question in ("catalog:customers", "catalog:crm", "tool:crm/*", "tool:crm/read"):
        assert asked(source, question)["user:alice"].standing.verdict == "always", question
    assert not asked(source, "catalog:empty")
    assert asked(source, "tool:*")["user:alice"].standing.verdict == "sometimes"
    assert not asked(source, "tool:crm/refund", "list")
    assert asked(source, "tool:crm/refund", "*")["user:alice"].standing.verdict == "sometimes"


def test_conditions_that_hang_on_the_call_are_left_in_the_answer() -> None:
    source = PolicyRules(
        rules=[
            rule("*", "tool:crm/refund", cond="args.amount < 500", id="small"),
            rule("*", "tool:crm/refund", cond='team == "sales"', eft="deny", id="not-sales"),
            rule("*", "tool:crm/*", cond='"untrusted" in taint', eft="deny", id="clean"),
        ]
    )
    found = asked(source, "tool:crm/refund")
    assert "user:bob" not in found
    standing = found["user:alice"].standing
    assert (standing.verdict, standing.when) == ("sometimes", ("args.amount < 500",))
    assert standing.unless == ('"untrusted" in taint',)
    # Whose work an agent does is not known before the call, so neither is the team.
    assert 'team == "sales"' in found["agent:planner"].standing.unless
    sure = asked(source, "tool:crm/refund", args={"amount": 1}, taint=())
    assert sure["user:alice"].standing.verdict == "always"


def test_what_is_denied_within_a_pattern_is_told() -> None:
    source = PolicyRules(
        rules=[rule("*", "tool:*", id="all"), rule("*", "tool:crm/*", eft="deny", id="no-crm")]
    )
    standing = asked(source, "tool:*")["user:alice"].standing
    assert (standing.verdict, standing.but, standing.whole) == ("sometimes", ("tool:crm/*",), True)
    assert not asked(source, "tool:crm/refund")


def test_an_agent_that_can_names_those_who_may_hand_it_the_work() -> None:
    source = PolicyRules(
        rules=[
            rule("*", "tool:crm/refund", id="all"),
            rule("user:*", "agent:planner", id="users"),
            rule("user:bob", "agent:*", eft="deny", id="not-bob"),
        ]
    )
    planner = asked(source, "tool:crm/refund")["agent:planner"]
    assert (planner.callers, planner.caller_count) == (("user:*", "user:alice"), 2)


def test_only_names_that_policy_can_be_about_are_asked() -> None:
    assert all(map(askable, ("tool:crm/refund", "tool:*", "*", "*/log", "catalog:x", "admin:keys")))
    assert not any(map(askable, ("", "tool", "tool:", "role:x", "user:alice", "team:x")))


def _covered(pattern: str) -> list[str]:
    return [name for name in NAMES if covers(pattern, name)]
