"""Whether a rule means a tool, and not just everything: what one needs that destroys something.

A rule means it when it names the tool without a `*`, or when its condition speaks of the label `destructive`.
"""

from collections.abc import Mapping
from typing import Any

from mcp_gateway.items import DESTRUCTIVE
from shared.identity.principal import Caller
from shared.policy import Policy


def explicitly_allowed(
    policy: Policy, caller: Caller, resource: str, action: str, facts: Mapping[str, Any]
) -> bool:
    """Whether such a rule allows this call, for every principal of the chain."""
    explained = policy.explain(caller, resource, action, facts)
    return bool(explained.hops) and all(
        any(rule.effect == "allow" and rule.counted and _means(rule.obj, rule.cond) for rule in hop.rules)
        for hop in explained.hops
    )


def explicitly_possible(policy: Policy, caller: Caller, resource: str, action: str) -> bool:
    """Whether there is such a rule for every principal of the chain, whatever its condition says."""
    return all(
        any(
            rule.effect == "allow" and _means(rule.obj, rule.cond.text if rule.cond else "") for rule in rules
        )
        for rules in policy.found(caller, resource, action)
    )


def _means(obj: str, cond: str) -> bool:
    return "*" not in obj or DESTRUCTIVE in cond
