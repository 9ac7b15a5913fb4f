"""What is suspicious about a policy that works: rules that can never match or change nothing, names that lead
nowhere, conditions about facts that their calls do not have.
"""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from shared.policy.compiled import CompiledRule, Index
from shared.policy.condition import BadCondition, Condition, parse
from shared.policy.extent import CATALOG, Extents
from shared.policy.facts import facts_of
from shared.policy.names import ANY, PRINCIPALS, anyof
from shared.policy.roles import Catalogs, Roles
from shared.policy.rules import PolicyRules, problems

Level = Literal["error", "warning"]
_SHOWN = 5
_ROLE = "role:"


class Finding(Struct, frozen=True, kw_only=True):
    """An `error` makes the policy mean something else than it says; a `warning` is clutter, or a slip."""

    level: Level
    place: str
    problem: str


def lint(rules: PolicyRules) -> list[Finding]:
    """Everything that is wrong or suspicious, errors first."""
    wrong = [Finding(level="error", place="", problem=text) for text in problems(rules)]
    look = _Look(rules)
    found = [*wrong, *look.conditions(), *look.names(), *look.covered()]
    return sorted(found, key=lambda finding: finding.level)


class _Look:
    def __init__(self, rules: PolicyRules) -> None:
        self._source = rules
        self._roles = Roles((link.member, link.role, link.dom) for link in rules.roles)
        self._catalogs = Catalogs((link.resource, link.catalog) for link in rules.groups)
        self._extents = Extents(self._catalogs)
        self._rules = list(_compiled(rules))
        self._certain = {
            effect: Index(rule for rule in self._rules if rule.cond is None and rule.effect == effect)
            for effect in ("allow", "deny", "approval")
        }

    def conditions(self) -> Iterator[Finding]:
        for rule in self._rules:
            if rule.cond is None or rule.cond is _BROKEN:
                continue
            if not rule.cond.names:
                holds = rule.cond.outcome({})
                what = "always holds: leave it out" if holds else "never holds"
                yield _finding("warning" if holds else "error", rule, f"its condition {what}")
            patterns = self._extents.of(rule.obj)
            missing = sorted(rule.cond.names - facts_of(patterns)) if patterns else []
            if missing:
                effect = "it cannot match" if rule.effect == "allow" else "it matches whatever they are"
                names = ", ".join(missing)
                yield _finding(
                    "warning", rule, f"calls to {rule.obj} never have {names}: where that is read, {effect}"
                )

    def names(self) -> Iterator[Finding]:
        """Roles and catalogs that are named on one side only."""
        members = {(link.role, link.dom) for link in self._source.roles}
        doms = {role: {dom for name, dom in members if name == role} for role, _ in members}
        empty: dict[tuple[str, str], list[CompiledRule]] = {}
        for rule in self._rules:
            reached = doms.get(rule.sub, set())
            known = reached and (ANY in reached or rule.dom == ANY or rule.dom in reached)
            if rule.sub.startswith(_ROLE) and not known:
                empty.setdefault((rule.sub, f"nobody in {rule.dom} has {rule.sub}"), []).append(rule)
            if rule.obj.startswith(CATALOG) and not self._extents.of(rule.obj):
                empty.setdefault((rule.obj, f"nothing is in {rule.obj}"), []).append(rule)
        for (_, text), rules in empty.items():
            yield _never(text, rules)
        yield from self._unused()

    def _unused(self) -> Iterator[Finding]:
        subjects = {rule.sub for rule in self._rules} | {link.member for link in self._source.roles}
        for role in dict.fromkeys(link.role for link in self._source.roles):
            if role not in subjects:
                yield Finding(level="warning", place="roles", problem=f"no rule gives {role} anything")
        objects = {rule.obj for rule in self._rules} | {link.resource for link in self._source.groups}
        for catalog in dict.fromkeys(link.catalog for link in self._source.groups):
            if catalog not in objects:
                yield Finding(level="warning", place="groups", problem=f"no rule is about {catalog}")

    def covered(self) -> Iterator[Finding]:
        """Rules that say nothing because a wider one has said it, or forbidden it."""
        for rule in self._rules:
            if rule.effect == "allow" and (denial := self._wider(rule, "deny")):
                text = f"never takes effect: {_place(denial)} denies all of it"
                yield _finding("error", rule, text)
            elif same := self._wider(rule, rule.effect):
                twice = rule.cond is None and _asks(same) == _asks(rule)
                what = "is there twice, as" if twice else "adds nothing to"
                yield _finding("warning", rule, f"{what} {_place(same)}")

    def _wider(self, rule: CompiledRule, effect: str) -> CompiledRule | None:
        """A rule without a condition that covers all that `rule` is about."""
        names = self._roles.of(rule.sub, rule.dom)
        kind = (anyof(rule.sub),) if rule.sub.partition(":")[0] in PRINCIPALS else ()
        subjects = dict.fromkeys((ANY, *kind, *names))
        catalogs = self._catalogs.of(rule.obj)
        for wide in self._certain[effect].find(rule.dom, subjects, rule.obj, catalogs, rule.act):
            twin = _asks(wide) == _asks(rule) and rule.cond is None
            if wide.position == rule.position or (twin and wide.position > rule.position):
                continue
            # Whoever wants an operator gets less from a rule that the caller may satisfy.
            if rule.approver == "operator" and wide.approver == "caller":
                continue
            # A pattern that covers a catalog's name need not cover what is in it.
            if rule.obj.startswith(CATALOG) and wide.obj not in (rule.obj, ANY, *catalogs):
                continue
            return wide
        return None


_BROKEN = Condition("", frozenset(), lambda _: None)


def _compiled(rules: PolicyRules) -> Iterator[CompiledRule]:
    for n, rule in enumerate(rules.rules):
        place = rule.id or f"rules[{n}]"
        yield CompiledRule(n, place, rule.sub, rule.dom, rule.obj, rule.act, rule.eft, _parsed(rule.cond))
    for n, asks in enumerate(rules.approvals):
        number, place, cond = len(rules.rules) + n, asks.id or f"approvals[{n}]", _parsed(asks.cond)
        yield CompiledRule(
            number, place, asks.sub, asks.dom, asks.obj, asks.act, "approval", cond, asks.approver
        )


def _parsed(text: str) -> Condition | None:
    try:
        return parse(text) if text else None
    except BadCondition:
        return _BROKEN


def _asks(rule: CompiledRule) -> tuple[str, str, str, str]:
    return rule.sub, rule.dom, rule.obj, rule.act


def _never(text: str, rules: list[CompiledRule]) -> Finding:
    # A denial that nobody meets leaves open what its author believes to be closed.
    level: Level = "warning" if all(rule.effect == "allow" for rule in rules) else "error"
    shown = ", ".join(_place(rule) for rule in rules[:_SHOWN])
    more = f" and {len(rules) - _SHOWN} more" if len(rules) > _SHOWN else ""
    verb = "never match" if len(rules) > 1 else "never matches"
    return Finding(level=level, place=shown + more, problem=f"{text}: {verb}")


def _finding(level: Level, rule: CompiledRule, problem: str) -> Finding:
    return Finding(level=level, place=_place(rule), problem=problem)


def _place(rule: CompiledRule) -> str:
    if rule.effect == "approval" or rule.id == f"rules[{rule.position}]":
        return rule.id
    return f"rules[{rule.position}] ({rule.id})"
