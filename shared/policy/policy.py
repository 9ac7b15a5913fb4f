"""One immutable policy: Casbin's rules, compiled, with its answers remembered; and a box for the current."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import casbin
import msgspec

from shared.clock import Clock
from shared.identity.principal import Caller
from shared.policy.compiled import CompiledRule, Index, Reach, conceivable, reach, weigh
from shared.policy.condition import Condition, parse
from shared.policy.context import Context
from shared.policy.decision import Decision, Explanation, HopExplanation, MatchedRule
from shared.policy.enforcer import load
from shared.policy.memo import Memo, values
from shared.policy.names import ANY, anyof, groups, membership, nameable
from shared.policy.roles import Catalogs, Roles
from shared.policy.rules import PolicyProblems, PolicyRules, problems
from shared.policy.scope import in_scope

# What a request is looked up by: sub, dom, obj, act, and the principal's team, project, tier and given roles.
Key = tuple[str, str, str, str, str, str, str, tuple[str, ...]]

REMEMBERED = 16_384
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Policy:
    """`epoch` is in every answer; `needs` are the names that any condition reads. `rules`, `roles` and
    `catalogs` are what it was made of, for questions about all of it.
    """

    # fmt: off
    __slots__ = (
        "_clock", "_decisions", "_index", "_reaches", "catalogs", "epoch", "needs", "roles", "rules",
    )
    # fmt: on

    def __init__(
        self, enforcer: casbin.Enforcer, epoch: int, source: PolicyRules, clock: Clock, memo: int
    ) -> None:
        self.rules = rules = tuple(_compiled(enforcer, source))
        self.epoch = epoch
        self.needs = frozenset[str]().union(*(rule.cond.names for rule in rules if rule.cond is not None))
        self._index = Index(rules)
        self.roles = Roles(enforcer.get_named_grouping_policy("g"))
        self.catalogs = Catalogs(enforcer.get_named_grouping_policy("g2"))
        self._clock = clock
        self._reaches: Memo[Reach] = Memo(memo)
        self._decisions: Memo[Decision] = Memo(memo)

    @classmethod
    def compile(
        cls, rules: PolicyRules, epoch: int, *, clock: Clock | None = None, memo: int = REMEMBERED
    ) -> "Policy":
        """Raises PolicyProblems: a policy with a rule that cannot be used is not used in part."""
        found = problems(rules)
        if found:
            raise PolicyProblems(found)
        return cls(load(rules), epoch, rules, clock or Clock(), memo)

    def decide(self, sub: str, dom: str, obj: str, act: str, ctx: Mapping[str, Any]) -> Decision:
        """One principal's decision; conditions see `ctx` and nothing else."""
        key = (sub, dom, obj, act, *membership(ctx))
        found = self._reach(key)
        return found.settled or self._weigh(key, found, ctx)

    def decide_chain(
        self, caller: Caller, obj: str, act: str, facts: Mapping[str, Any] = _NOTHING
    ) -> Decision:
        """Every principal of the chain must be allowed. `facts` never replace the caller's identity."""
        refused = self._refused(caller, obj)
        if refused is not None:
            return refused
        decisions = []
        for hop, key in enumerate(_keys(caller, obj, act)):
            found = self._reaches.get(key) or self._reach(key)
            decision = found.settled or self._weigh(key, found, Context(caller, hop, obj, facts, self._clock))
            if not decision.allowed:
                return decision
            decisions.append(decision)
        return decisions[0] if len(decisions) == 1 else _joined(decisions)

    def possible(self, caller: Caller, obj: str, act: str, facts: Mapping[str, Any] = _NOTHING) -> bool:
        """Whether some arguments could be allowed: for lists, where no arguments exist yet."""
        if self._refused(caller, obj) is not None:
            return False
        for hop, key in enumerate(_keys(caller, obj, act)):
            found = self._reach(key)
            if found.settled is not None:
                allowed = found.settled.allowed
            else:
                allowed = conceivable(found, Context(caller, hop, obj, facts, self._clock))
            if not allowed:
                return False
        return True

    def certain(self, caller: Caller, obj: str, act: str) -> bool:
        """Whether `possible` says the same whatever the facts and the hour are: no condition is asked."""
        return all(self._reach(key).settled is not None for key in _keys(caller, obj, act))

    def found(self, caller: Caller, obj: str, act: str) -> list[list[CompiledRule]]:
        """The rules about this, whatever their conditions say, for every principal of the chain."""
        keys = _keys(caller, obj, act)
        return [self._rules(key, self._subjects(key)) if nameable(*key[:4]) else [] for key in keys]

    def explain(self, caller: Caller, obj: str, act: str, facts: Mapping[str, Any] = _NOTHING) -> Explanation:
        """What `decide_chain` answers and why, for every principal of the chain."""
        refused = self._refused(caller, obj)
        hops = () if refused else tuple(self._hops(caller, obj, act, facts))
        return Explanation(
            resource=obj,
            action=act,
            tenant=caller.principal.tenant,
            catalogs=self.catalogs.of(obj),
            hops=hops,
            decision=self.decide_chain(caller, obj, act, facts),
        )

    def _hops(self, caller: Caller, obj: str, act: str, facts: Mapping[str, Any]) -> Iterator[HopExplanation]:
        for hop, key in enumerate(_keys(caller, obj, act)):
            ctx = Context(caller, hop, obj, facts, self._clock)
            subjects = tuple(self._subjects(key)) if nameable(*key[:4]) else ()
            rules = self._rules(key, subjects)
            yield HopExplanation(
                principal=key[0],
                subjects=subjects,
                rules=tuple(_matched(rule, ctx) for rule in sorted(rules, key=lambda rule: rule.position)),
                decision=self._reach(key).settled or weigh(self._reach(key), ctx, self.epoch, key[0]),
            )

    def _refused(self, caller: Caller, obj: str) -> Decision | None:
        """What is refused before any rule is asked: an empty chain is not one that nobody objects to."""
        principal = caller.principal
        if not caller.actors or caller.actors[0] != principal.sub:
            return Decision(
                False, "", self.epoch, principal.sub, "the chain does not begin with its principal"
            )
        if principal.scope and not in_scope(principal.scope, obj):
            return Decision(
                False, "scope", self.epoch, principal.sub, "the credential's scope does not cover it"
            )
        return None

    def _reach(self, key: Key) -> Reach:
        found = self._reaches.get(key)
        if found is None:
            if nameable(*key[:4]):
                found = reach(self._rules(key, self._subjects(key)), self.epoch, key[0])
            else:
                refused = Decision(False, "", self.epoch, key[0], "no request may carry such a name")
                found = Reach((), (), (), (), refused)
            self._reaches.remember(key, found)
        return found

    def _rules(self, key: Key, subjects: Iterable[str]) -> list[CompiledRule]:
        return self._index.find(key[1], subjects, key[2], self.catalogs.of(key[2]), key[3])

    def _subjects(self, key: Key) -> Iterable[str]:
        """Everything that rules may call this principal."""
        sub, dom = key[0], key[1]
        subjects = [ANY, anyof(sub), *self.roles.of(sub, dom)]
        for group in groups(*key[4:]):
            subjects += self.roles.of(group, dom)
        return dict.fromkeys(subjects)

    def _weigh(self, key: Key, found: Reach, ctx: Mapping[str, Any]) -> Decision:
        read = values(found.needs, ctx)
        if read is None:
            return weigh(found, ctx, self.epoch, key[0])
        decision = self._decisions.get((*key, *read))
        if decision is None:
            decision = weigh(found, ctx, self.epoch, key[0])
            self._decisions.remember((*key, *read), decision)
        return decision


class PolicyBox:
    """The one reference that is swapped when policy changes. Without a policy everything is refused."""

    __slots__ = ("current",)

    def __init__(self, current: Policy | None = None) -> None:
        self.current = current or Policy.compile(PolicyRules(), 0)

    def replace(self, policy: Policy) -> None:
        self.current = policy


def _compiled(enforcer: casbin.Enforcer, source: PolicyRules) -> Iterator[CompiledRule]:
    """Casbin's rules, with what it does not keep: ids, and who may approve."""
    rules = enforcer.get_named_policy("p")
    for n, (sub, dom, obj, act, cond, eft) in enumerate(rules):
        name = source.rules[n].id or f"rules[{n}]"
        yield CompiledRule(n, name, sub, dom, obj, act, eft, _condition(cond))
    for n, (sub, dom, obj, act, cond) in enumerate(enforcer.get_named_policy("p2")):
        asks, place = source.approvals[n], len(rules) + n
        name = asks.id or f"approvals[{n}]"
        yield CompiledRule(place, name, sub, dom, obj, act, "approval", _condition(cond), asks.approver)


def _condition(text: str) -> Condition | None:
    return parse(text) if text else None


def _keys(caller: Caller, obj: str, act: str) -> list[Key]:
    """One key a hop. Groups are the origin's: an agent that it delegates to does not join its team."""
    who = caller.principal
    dom = who.tenant
    first: Key = (caller.actors[0], dom, obj, act, who.team, who.project, who.tier, who.roles)
    return [first, *((sub, dom, obj, act, "", "", "", ()) for sub in caller.actors[1:])]


def _joined(decisions: list[Decision]) -> Decision:
    """The acting principal's decision, waiting for a person if any principal of the chain has to."""
    last, asking = decisions[-1], [decision for decision in decisions if decision.approval]
    if not asking:
        return last
    strictest = next((decision for decision in asking if decision.approver == "operator"), asking[0])
    return msgspec.structs.replace(last, approval=True, asks=strictest.asks, approver=strictest.approver)


def _matched(rule: CompiledRule, ctx: Mapping[str, Any]) -> MatchedRule:
    return MatchedRule(
        id=rule.id,
        effect=rule.effect,
        sub=rule.sub,
        dom=rule.dom,
        obj=rule.obj,
        act=rule.act,
        cond=rule.cond.text if rule.cond else "",
        held=rule.cond.outcome(ctx) if rule.cond else True,
        counted=rule.holds(ctx),
    )
