"""Casbin itself: rules go in through its adapter interface, its model and role managers hold them, its
management API changes them. `stock` also decides by Casbin's own walk over every rule, which the compiled
evaluation is held equal to."""

from collections.abc import Mapping
from typing import Any

import casbin
from casbin.persist import Adapter

from shared.policy.glob import covers
from shared.policy.model import MODEL, holds
from shared.policy.names import ANY, anyof, groups, membership, nameable
from shared.policy.rules import PolicyRules


class RulesAdapter(Adapter):  # type: ignore[misc]  # casbin ships no types
    """Loads a whole policy at once: adding rules one by one compares each with all before it."""

    def __init__(self, rules: PolicyRules) -> None:
        self._rules = rules

    def load_policy(self, model: Any) -> None:
        rules = self._rules
        model["p"]["p"].policy += [[r.sub, r.dom, r.obj, r.act, r.cond, r.eft] for r in rules.rules]
        model["p"]["p2"].policy += [[a.sub, a.dom, a.obj, a.act, a.cond] for a in rules.approvals]
        model["g"]["g"].policy += [[link.member, link.role, link.dom] for link in rules.roles]
        model["g"]["g2"].policy += [[link.resource, link.catalog] for link in rules.groups]


def load(rules: PolicyRules) -> casbin.Enforcer:
    """An enforcer for its management API. Its `g2` knows no patterns: to `enforce`, take `stock`."""
    enforcer = casbin.Enforcer(casbin.Enforcer.new_model(text=MODEL))
    roles = enforcer.get_role_manager()
    # With a matching function every new link is compared with all names: quadratic, and roles are plain
    # names.
    roles.add_matching_func(None)
    roles.add_domain_matching_func(lambda _, dom: dom == ANY)
    enforcer.set_adapter(RulesAdapter(rules))
    enforcer.load_policy()
    return enforcer


def stock(rules: PolicyRules) -> casbin.Enforcer:
    """An enforcer whose `enforce(sub, dom, obj, act, ctx)` answers like Policy.decide, slowly."""
    enforcer = load(rules)
    roles = enforcer.get_role_manager()

    def member(ctx: Mapping[str, Any], sub: str, dom: str) -> bool:
        return any(roles.has_link(group, sub, dom) for group in groups(*membership(ctx)))

    enforcer.add_named_matching_func("g2", lambda name, pattern: covers(pattern, name))
    for function in (nameable, covers, anyof, holds, member):
        enforcer.add_function(function.__name__, function)
    return enforcer
