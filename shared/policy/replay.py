"""What calls that really happened would meet under a draft of the policy.

The ledger keeps who called what, and not everything that conditions read: where a draft's rule hangs on the
rest, the answer is `open` and says on what, unless the same rule is in force now and was seen to hold or not.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from shared.clock import Clock
from shared.identity.principal import Caller, Principal
from shared.ledger.row import Row
from shared.policy.compiled import CompiledRule
from shared.policy.context import Context, moment
from shared.policy.facts import UNRECORDED, facts_of
from shared.policy.policy import Policy

Change = Literal["refused", "allowed", "approval", "open"]
_EXAMPLES, _WHO = 3, 5
_Content = tuple[str, str, str, str, str, str]


class Shift(Struct, kw_only=True):
    """Calls that would fare otherwise, and alike: `change` is what would become of them.

    `before` is the rule that decided them, `after` the draft's ("" where none speaks), `reads` what an open
    one hangs on. `examples` are chains.
    """

    change: Change
    tenant: str
    actor: str
    action: str
    resource: str
    before: str
    after: str
    why: str
    reads: tuple[str, ...] = ()
    count: int = 0
    first_at: int = 0
    last_at: int = 0
    principals: list[str] = []
    examples: list[str] = []


class Told(Struct, frozen=True):
    """What a policy answers to one past call: allowed, refused (False) or open (None)."""

    allowed: bool | None
    rule: str
    why: str
    approval: bool = False
    reads: tuple[str, ...] = ()


class Replay:
    """`now` is the policy in force: what both say alike is no change, whatever older versions said."""

    def __init__(self, draft: Policy, now: Policy) -> None:
        self._draft = draft
        self._now = now
        self._alike: dict[tuple[object, ...], bool] = {}
        self._shifts: dict[tuple[object, ...], Shift] = {}
        self.rows = 0
        self.skipped = 0

    def add(self, row: Row) -> None:
        if not _decided_by_policy(row):
            self.skipped += 1
            return
        self.rows += 1
        caller = _caller(row)
        if self._same_rules(caller, row):
            return
        was = row.decision == "allow"
        told = self._told(self._draft, caller, row, was=was)
        change = _change(told, was)
        if change is None and told.allowed and told.approval:
            change = None if self._told(self._now, caller, row, was=was).approval else "approval"
        if change is not None:
            self._count(row, caller, change, told)

    def shifts(self) -> list[Shift]:
        """The most frequent first."""
        return sorted(self._shifts.values(), key=lambda shift: -shift.count)

    def _same_rules(self, caller: Caller, row: Row) -> bool:
        who = caller.principal
        key = (
            caller.actors,
            who.tenant,
            who.team,
            who.project,
            who.tier,
            who.roles,
            row.resource,
            row.action,
        )
        alike = self._alike.get(key)
        if alike is None:
            sides = [
                [_contents(rules) for rules in policy.found(caller, row.resource, row.action)]
                for policy in (self._draft, self._now)
            ]
            alike = self._alike[key] = sides[0] == sides[1]
        return alike

    def _told(self, policy: Policy, caller: Caller, row: Row, *, was: bool) -> Told:
        now = self._now.found(caller, row.resource, row.action)
        answers = []
        for hop, rules in enumerate(policy.found(caller, row.resource, row.action)):
            told = _Hop(caller, hop, row, _contents(now[hop]), was=was).told(rules)
            if told.allowed is False:
                return told
            answers.append(told)
        unsure = next((told for told in answers if told.allowed is None), answers[-1])
        return Told(
            unsure.allowed, unsure.rule, unsure.why, any(told.approval for told in answers), unsure.reads
        )

    def _count(self, row: Row, caller: Caller, change: Change, told: Told) -> None:
        key = (change, row.tenant, caller.actor, row.action, row.resource, row.rule, told.rule, told.reads)
        shift = self._shifts.get(key)
        if shift is None:
            shift = self._shifts[key] = Shift(
                change=change,
                tenant=row.tenant,
                actor=caller.actor,
                action=row.action,
                resource=row.resource,
                before=row.rule,
                after=told.rule,
                why=told.why,
                reads=told.reads,
                first_at=row.started_at,
                principals=[],
                examples=[],
            )
        shift.count += 1
        shift.first_at = min(shift.first_at, row.started_at)
        shift.last_at = max(shift.last_at, row.started_at)
        if row.principal not in shift.principals and len(shift.principals) < _WHO:
            shift.principals.append(row.principal)
        if row.chain not in shift.examples and len(shift.examples) < _EXAMPLES:
            shift.examples.append(row.chain)


class _Hop:
    """One principal of a past call. `now` are the rules about it in force, `was` whether it was allowed."""

    def __init__(self, caller: Caller, hop: int, row: Row, now: frozenset[_Content], *, was: bool) -> None:
        facts = _facts(row)
        self._ctx = Context(caller, hop, row.resource, facts, _CLOCK)
        self._lost = (UNRECORDED - facts.keys()) & facts_of((row.resource,))
        self._now = now
        self._was = was
        self._acts = hop == len(caller.actors) - 1
        self._rule = row.rule
        self._name = caller.actors[hop]

    def told(self, rules: Iterable[CompiledRule]) -> Told:
        held = [(rule, self._held(rule)) for rule in rules]
        sure = [rule for rule, holds in held if holds]
        denial = next((rule for rule in sure if rule.effect == "deny"), None)
        if denial is not None:
            return Told(False, denial.id, f"{self._name}: {denial.id} denies it")
        allow = next((rule for rule in sure if rule.effect == "allow"), None)
        maybe = [rule for rule, holds in held if holds is None and rule.effect == "deny"]
        if allow is None:
            maybe = [rule for rule, holds in held if holds is None and rule.effect == "allow"]
            if not maybe:
                return Told(False, "", f"{self._name}: no rule allows it")
        if maybe:
            reads = sorted({name for rule in maybe if rule.cond for name in rule.cond.names & self._lost})
            return Told(None, maybe[0].id, f"{self._name}: it hangs on {maybe[0].id}", reads=tuple(reads))
        assert allow is not None
        approval = any(rule.effect == "approval" for rule, holds in held if holds is not False)
        return Told(True, allow.id, f"{self._name}: {allow.id} allows it", approval)

    def _held(self, rule: CompiledRule) -> bool | None:
        """Whether the rule's condition held; None where only facts that were not kept could tell."""
        if rule.cond is None:
            return True
        outcome = rule.cond.outcome(self._ctx)
        if outcome is not None:
            return outcome
        if rule.cond.names.isdisjoint(self._lost):
            return rule.effect != "allow"
        if _content(rule) in self._now:
            if self._acts and rule.id == self._rule:
                return True
            if self._was and rule.effect == "deny":
                return False
        return None


_CLOCK = Clock()


def _change(told: Told, was: bool) -> Change | None:
    if told.allowed is None:
        return "open"
    if told.allowed == was:
        return None
    return "allowed" if told.allowed else "refused"


def _decided_by_policy(row: Row) -> bool:
    """Not a list, a cycle, or a credential's scope: those are not what rules decide."""
    decided = row.decision in ("allow", "deny") and row.rule != "scope" and row.reason != "delegation"
    return decided and bool(row.actors) and "*" not in row.resource


def _caller(row: Row) -> Caller:
    principal = Principal(
        sub=row.principal,
        tenant=row.tenant,
        team=row.team,
        project=row.project,
        tier=row.tier,
        roles=row.roles,
    )
    return Caller(principal=principal, actors=row.actors, chain=row.chain, credential="", key=row.key)


def _facts(row: Row) -> dict[str, object]:
    """What the ledger still knows of what conditions could read."""
    facts: dict[str, object] = {**moment(row.started_at / 1_000_000), "tags": row.tags}
    if row.provider:
        facts["provider"] = row.provider
    if row.skill:
        facts["skill"] = row.skill
    return facts


def _content(rule: CompiledRule) -> _Content:
    return rule.sub, rule.dom, rule.obj, rule.act, rule.effect, rule.cond.text if rule.cond else ""


def _contents(rules: Iterable[CompiledRule]) -> frozenset[_Content]:
    return frozenset(map(_content, rules))
