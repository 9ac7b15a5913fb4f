"""What one version of a policy says and another does not."""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import asdict

from shared.policy.rules import PolicyRules

_KINDS = ("rules", "roles", "groups", "approvals")


class Edit(Struct, frozen=True, kw_only=True):
    """`before` is empty for what was added, `after` for what was removed; a rule whose id stayed has both."""

    kind: str
    before: dict[str, str]
    after: dict[str, str]


def difference(old: PolicyRules, new: PolicyRules) -> list[Edit]:
    """Every edit that leads from `old` to `new`. The order of rules means nothing and is no edit."""
    found: list[Edit] = []
    for kind in _KINDS:
        before, after = _lines(getattr(old, kind)), _lines(getattr(new, kind))
        gone, come = list((before - after).elements()), list((after - before).elements())
        by_id = {line["id"]: line for line in map(dict, come) if line.get("id")}
        for line in map(dict, gone):
            same = by_id.pop(line.get("id", ""), None)
            found.append(Edit(kind=kind, before=line, after=same or {}))
            if same is not None:
                come.remove(tuple(same.items()))
        found += [Edit(kind=kind, before={}, after=dict(line)) for line in come]
    return found


def visible(rules: PolicyRules, tenant: str | None) -> PolicyRules:
    """What one tenant may see of a policy: what is said of it, and what is said of everybody."""
    if tenant is None:
        return rules
    seen = (tenant, "*")
    return PolicyRules(
        rules=[rule for rule in rules.rules if rule.dom in seen],
        roles=[link for link in rules.roles if link.dom in seen],
        groups=rules.groups,
        approvals=[asks for asks in rules.approvals if asks.dom in seen],
    )


def _lines(items: Sequence[Struct]) -> Counter[tuple[tuple[str, str], ...]]:
    return Counter(tuple(asdict(item).items()) for item in items)
