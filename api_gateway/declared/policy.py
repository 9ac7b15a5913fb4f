"""The policy, declared: one object for the whole stack, with its rules, roles, groups and approvals. Each
change of it is a version like any other.
"""

from typing import Any

import msgspec
from msgspec import Struct

from api_gateway.admin import Ask, versions
from api_gateway.control import Control
from api_gateway.declared.kind import Held, Step
from shared.errors import BadRequest
from shared.policy import PolicyRules
from shared.policy.difference import difference
from shared.policy.rules import Approval, GroupLink, RoleLink, Rule

NAME = "policy"


class PolicySpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The policy as it is published: without files, whose rules stand here themselves."""

    rules: list[Rule] = []
    roles: list[RoleLink] = []
    groups: list[GroupLink] = []
    approvals: list[Approval] = []


class Policies:
    name, area, snapshots, alone = "policy", "policy", ("policy",), True

    async def held(self, control: Control, ask: Ask) -> list[Held]:
        """Nothing for an operator of one tenant: part of a policy is no policy."""
        latest = await control.store.latest_policy() if ask.all_tenants else None
        if latest is None:
            return []
        rules = msgspec.json.decode(latest.rules, type=PolicyRules)
        spec = PolicySpec(
            rules=rules.rules, roles=rules.roles, groups=rules.groups, approvals=rules.approvals
        )
        return [Held(name=NAME, spec=spec, etag=str(latest.number))]

    async def put(
        self, control: Control, ask: Ask, name: str, spec: Struct, held: Held | None, reason: str
    ) -> Step:
        assert isinstance(spec, PolicySpec)
        if name != NAME:
            raise BadRequest(f"there is one policy: call it {NAME}")
        rules, seen = _rules(spec), int(held.etag) if held is not None else None
        await versions.change(control, ask, rules, reason, seen, dry_run=True)
        return Step(then=lambda: versions.change(control, ask, rules, reason, seen, dry_run=False))

    async def remove(self, control: Control, ask: Ask, held: Held) -> Step:
        raise BadRequest("the policy is never removed: declare the one that shall be instead")


def differences(held: PolicySpec, wanted: PolicySpec) -> list[dict[str, Any]]:
    """Each edit as `{field, before, after}`; the order of rules means nothing."""
    return [
        {"field": edit.kind, "before": edit.before or None, "after": edit.after or None}
        for edit in difference(_rules(held), _rules(wanted))
    ]


def _rules(spec: PolicySpec) -> PolicyRules:
    return PolicyRules(rules=spec.rules, roles=spec.roles, groups=spec.groups, approvals=spec.approvals)
