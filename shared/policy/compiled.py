"""Rules, indexed by domain, subject and resource: finding those about one request costs the same however many
exist. What they say together is decided here too."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from shared.policy.condition import Condition
from shared.policy.decision import Approver, Decision
from shared.policy.glob import PatternIndex, stems
from shared.policy.names import ANY


class CompiledRule(Struct, frozen=True):
    """`effect` is allow, deny or approval. A rule without a condition has `cond` None."""

    position: int
    id: str
    sub: str
    dom: str
    obj: str
    act: str
    effect: str
    cond: Condition | None
    approver: Approver = "operator"

    def holds(self, ctx: Mapping[str, Any]) -> bool:
        """What cannot be told does not allow, does deny, and does ask for approval."""
        return self.cond is None or self.cond.holds(ctx, unknown=self.effect != "allow")


class Index:
    """All rules of a policy."""

    __slots__ = ("_domains",)

    def __init__(self, rules: Iterable[CompiledRule]) -> None:
        self._domains: dict[str, dict[str, PatternIndex[CompiledRule]]] = {}
        for rule in rules:
            subjects = self._domains.setdefault(rule.dom, {})
            if rule.sub not in subjects:
                subjects[rule.sub] = PatternIndex()
            subjects[rule.sub].add(rule.obj, rule)

    def find(
        self, dom: str, subjects: Iterable[str], obj: str, catalogs: Iterable[str], act: str
    ) -> list[CompiledRule]:
        """The rules about any of `subjects` and `obj` or a catalog of it, whatever their conditions say."""
        found: list[CompiledRule] = []
        obj_stems = stems(obj)
        for table in (self._domains.get(dom), self._domains.get(ANY)):
            if table is None:
                continue
            for subject in subjects:
                patterns = table.get(subject)
                if patterns is not None:
                    found += patterns.find(obj, obj_stems)
                    for catalog in catalogs:
                        found += patterns.exactly(catalog)
        return [rule for rule in found if rule.act in (act, ANY)]


class Reach(Struct, frozen=True):
    """The rules that can decide one request, and the names that their conditions read.

    Where no condition is left to ask, `settled` is the decision.
    """

    denies: tuple[CompiledRule, ...]
    allows: tuple[CompiledRule, ...]
    approvals: tuple[CompiledRule, ...]
    needs: tuple[str, ...]
    settled: Decision | None


def reach(rules: Iterable[CompiledRule], epoch: int, hop: str) -> Reach:
    """Sorts what was found and drops what cannot matter, such as conditional denials beside a certain one."""
    by_effect: dict[str, list[CompiledRule]] = {"deny": [], "allow": [], "approval": []}
    for rule in rules:
        by_effect[rule.effect].append(rule)
    denies = _until_certain(by_effect["deny"])
    certainly_denied = bool(denies) and denies[0].cond is None
    allows = () if certainly_denied else _until_certain(by_effect["allow"])
    approvals = _strictest_first(by_effect["approval"]) if allows else ()
    asked = [rule.cond for rule in (*denies, *allows, *approvals) if rule.cond is not None]
    needs = tuple(sorted({name for cond in asked for name in cond.names})) if asked else ()
    found = Reach(denies, allows, approvals, needs, None)
    return found if asked else Reach(denies, allows, approvals, needs, weigh(found, {}, epoch, hop))


def weigh(found: Reach, ctx: Mapping[str, Any], epoch: int, hop: str) -> Decision:
    """Some rule allows and none denies."""
    for rule in found.denies:
        if rule.holds(ctx):
            return Decision(False, rule.id, epoch, hop, f"{rule.id} denies it")
    for rule in found.allows:
        if rule.holds(ctx):
            why = f"{rule.id} allows it"
            asking = next((asking for asking in found.approvals if asking.holds(ctx)), None)
            if asking is None:
                return Decision(True, rule.id, epoch, hop, why)
            return Decision(True, rule.id, epoch, hop, why, True, asking.id, asking.approver)
    if not found.allows:
        return Decision(False, "", epoch, hop, "no rule allows it")
    unmet = ", ".join(rule.id for rule in found.allows[:5]) + (", …" if len(found.allows) > 5 else "")
    return Decision(False, "", epoch, hop, f"what would allow it does not hold: {unmet}")


def conceivable(found: Reach, ctx: Mapping[str, Any]) -> bool:
    """Whether some arguments could be allowed: conditions on `args` count as a caller would want them."""

    def asks_arguments(rule: CompiledRule) -> bool:
        return rule.cond is not None and "args" in rule.cond.names

    if any(not asks_arguments(rule) and rule.holds(ctx) for rule in found.denies):
        return False
    return any(asks_arguments(rule) or rule.holds(ctx) for rule in found.allows)


def _until_certain(rules: list[CompiledRule]) -> tuple[CompiledRule, ...]:
    """The first rule without a condition, alone, since it decides for all; else every rule in order."""
    if len(rules) < 2:
        return tuple(rules)
    rules.sort(key=lambda rule: rule.position)
    certain = next((rule for rule in rules if rule.cond is None), None)
    return (certain,) if certain is not None else tuple(rules)


def _strictest_first(rules: list[CompiledRule]) -> tuple[CompiledRule, ...]:
    """Those that want an operator before those that the caller may satisfy, up to the first that always
    holds: the first that holds says who has to consent.
    """
    rules.sort(key=lambda rule: (rule.approver != "operator", rule.cond is not None, rule.position))
    certain = next((at for at, rule in enumerate(rules) if rule.cond is None), len(rules))
    return tuple(rules[: certain + 1])
