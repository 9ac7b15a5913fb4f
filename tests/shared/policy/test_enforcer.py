import casbin

from shared.policy import GroupLink, Policy, PolicyRules, RoleLink
from shared.policy.enforcer import load, stock
from tests.shared.policy.test_rules import GOOD
from tests.shared.policy.worlds import caller, rule


def test_rules_go_in_through_the_adapter_and_come_out_of_the_management_api() -> None:
    enforcer = load(GOOD)
    assert isinstance(enforcer, casbin.Enforcer)
    assert enforcer.get_named_policy("p")[0] == [
        "role:dev",
        "acme",
        "tool:git/*",
        "invoke",
        'tier == "gold"',
        "allow",
    ]
    assert enforcer.get_named_policy("p2") == [["*", "acme", "tool:pay/*", "invoke", "args.amount > 500"]]
    assert enforcer.get_roles_for_user_in_domain("user:a", "acme") == ["role:dev"]
    assert enforcer.get_filtered_named_grouping_policy("g2", 1, "catalog:all") == [["*", "catalog:all"]]


def test_ten_thousand_rules_and_links_load() -> None:
    rules = PolicyRules(
        rules=[rule("role:dev", f"tool:s{n}/*") for n in range(10_000)],
        roles=[RoleLink(member=f"user:{n}", role="role:dev", dom="acme") for n in range(10_000)],
        groups=[GroupLink(resource=f"tool:s{n}/*", catalog="catalog:all") for n in range(10_000)],
    )
    policy = Policy.compile(rules, 1)
    decision = policy.decide_chain(caller("user:9999"), "tool:s9999/x", "invoke")
    assert (decision.allowed, decision.rule) == (True, "rules[9999]")


def test_stock_casbin_follows_patterns_in_catalogs_and_roles_of_groups() -> None:
    enforcer = stock(
        PolicyRules(
            rules=[rule("role:dev", "catalog:code")],
            roles=[RoleLink(member="team:t", role="role:dev", dom="*")],
            groups=[GroupLink(resource="tool:git/*", catalog="catalog:code")],
        )
    )
    assert enforcer.enforce("user:a", "acme", "tool:git/log", "invoke", {"team": "t"})
    assert not enforcer.enforce("user:a", "acme", "tool:git/log", "invoke", {"team": "t", "hop": 1})
    assert not enforcer.enforce("user:a", "acme", "tool:fs/log", "invoke", {"team": "t"})
