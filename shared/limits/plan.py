"""A call's limits, worked out from rules and facts: pure, and fast because rules are compiled once."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from shared.limits.branch import branch_limits
from shared.limits.keys import encoded
from shared.limits.own import own_limits
from shared.limits.rule import CODES, PLACES, LimitRule
from shared.policy.glob import covers

# The order in which amounts travel to the scripts, where the first is 1.
UNITS = (
    "requests",
    "tokens",
    "tokens_in",
    "tokens_out",
    "micros",
    "tool_calls",
    "agent_calls",
    "concurrency",
    "model_calls",
)
# Callers who have none of these share a counter; a rule per anything else leaves them alone.
_EVERYBODY = ("key", "user", "team", "project", "tenant", "tier")
_COMPILED_LISTS = 16
# Stem, window, unit, limit, amount and alerts: what the scripts are told of each limit.
PARTS = 6
_UNIT, _AMOUNT = 2, 4

# A fact of which a call has several, its tags, is a tuple.
Facts = Mapping[str, str | tuple[str, ...]]

Amounts = tuple[int, int, int, int, int, int, int, int, int]


class Estimate(Struct, frozen=True, kw_only=True):
    """What a call is expected to use, or has used. Money in micro-dollars."""

    requests: int = 1
    tokens_in: int = 0
    tokens_out: int = 0
    micros: int = 0
    tool_calls: int = 0
    agent_calls: int = 0
    model_calls: int = 0

    def amounts(self, *, concurrency: int) -> Amounts:
        return (
            self.requests,
            self.tokens_in + self.tokens_out,
            self.tokens_in,
            self.tokens_out,
            self.micros,
            self.tool_calls,
            self.agent_calls,
            concurrency,
            self.model_calls,
        )


class Plan(Struct, frozen=True, kw_only=True):
    """The limits that apply to one call, a rule once for each of its subjects. `arguments` are PARTS of
    each.
    """

    rules: tuple[LimitRule, ...]
    arguments: tuple[str | int, ...]
    amounts: Amounts

    @property
    def survives_outage(self) -> bool:
        """Whether the operator lets this call pass when nobody can count it."""
        return all(rule.on_outage == "allow" for rule in self.rules)

    def counted(self, estimate: Estimate) -> "Plan":
        """The same limits for the same call, of which more is known: its tokens and what they cost."""
        amounts = estimate.amounts(concurrency=1)
        arguments = list(self.arguments)
        for at in range(0, len(arguments), PARTS):
            arguments[at + _AMOUNT] = amounts[int(arguments[at + _UNIT]) - 1]
        return Plan(rules=self.rules, arguments=tuple(arguments), amounts=amounts)


class Planner:
    """A configuration's rules, compiled."""

    def __init__(self, rules: Sequence[LimitRule]) -> None:
        self._rules = [_Compiled(rule) for rule in rules]

    def plan(self, facts: Facts, estimate: Estimate) -> Plan:
        """What a call is not expected to use is checked all the same where it may turn out to use it after
        all (tokens of a model call, money of any call): too low an estimate stays the affair of one call.
        """
        amounts = estimate.amounts(concurrency=1)
        model_call = estimate.model_calls > 0
        call = model_call or estimate.tool_calls > 0 or estimate.agent_calls > 0
        may_use = (False, model_call, model_call, model_call, call, False, False, False, False)
        rules: list[LimitRule] = []
        arguments: list[str | int] = []
        for compiled in self._rules:
            amount = amounts[compiled.unit]
            if amount or may_use[compiled.unit]:
                for stem in compiled.stems(facts):
                    rule = compiled.rule
                    rules.append(rule)
                    arguments += (
                        stem,
                        compiled.code,
                        compiled.unit + 1,
                        rule.amount,
                        amount,
                        compiled.alerts,
                    )
        return Plan(rules=tuple(rules), arguments=tuple(arguments), amounts=amounts)


def plan(rules: Sequence[LimitRule], facts: Facts, estimate: Estimate) -> Plan:
    """The limits of one call. Facts are the caller's (`key`, `user`, `team` …) and the call's (`model`,
    `tool`, `agent`, `route` …); one that is not there matches nothing. `rules` must not change afterwards.
    """
    planned = _ruled(rules, facts, estimate)
    shares, own, key = facts.get("shares"), facts.get("limits"), facts.get("key")
    if shares and isinstance(shares, str):
        planned = _with(planned, *branch_limits(tuple(shares.split("\n")), planned.amounts))
    if own and isinstance(own, str) and isinstance(key, str):
        planned = _with(planned, *own_limits(own, key, planned.amounts))
    return planned


def _with(planned: Plan, more: Sequence[LimitRule], arguments: Sequence[str | int]) -> Plan:
    return Plan(
        rules=(*planned.rules, *more),
        arguments=(*planned.arguments, *arguments),
        amounts=planned.amounts,
    )


def _ruled(rules: Sequence[LimitRule], facts: Facts, estimate: Estimate) -> Plan:
    if not rules:
        return Plan(rules=(), arguments=(), amounts=estimate.amounts(concurrency=1))
    known = _planners.get(id(rules))
    if known is None or known[0] is not rules:
        if len(_planners) >= _COMPILED_LISTS:
            _planners.clear()
        # The list is kept with its planner: as long as it lives, nothing else can have its id.
        known = _planners[id(rules)] = (rules, Planner(rules))
    return known[1].plan(facts, estimate)


_planners: dict[int, tuple[Sequence[LimitRule], Planner]] = {}


class _Compiled:
    __slots__ = (
        "_everybody",
        "_globs",
        "_literals",
        "_own",
        "_per",
        "_prefix",
        "alerts",
        "code",
        "rule",
        "unit",
    )

    def __init__(self, rule: LimitRule) -> None:
        self.rule = rule
        self.unit = PLACES[rule.unit]
        self.code = _code(rule)
        self.alerts = f"{rule.amount}:{','.join(map(str, rule.alerts))}" if rule.alerts else ""
        self._per = rule.per
        self._everybody = rule.per in _EVERYBODY
        self._prefix = f"{encoded(rule.name).replace(':', '%3A')}:{rule.unit}:"
        self._literals = [(fact, text) for fact, text in rule.match.items() if "*" not in text]
        self._globs = [(fact, text) for fact, text in rule.match.items() if "*" in text]
        self._own = rule.match.get(rule.per)

    def stems(self, facts: Facts) -> Sequence[str]:
        """The keys of the counters up to their windows; none where the rule does not apply."""
        subject = facts.get(self._per, "")
        if not subject and not self._everybody:
            return ()
        for fact, text in self._literals:
            value = facts.get(fact)
            if value != text and not (isinstance(value, tuple) and text in value):
                return ()
        for fact, pattern in self._globs:
            value = facts.get(fact)
            if value is None or not _covers(pattern, value):
                return ()
        if isinstance(subject, str):
            return (self._prefix + encoded(subject),)
        own = self._own
        return [self._prefix + encoded(each) for each in subject if own is None or covers(own, each)]


def _covers(pattern: str, value: str | tuple[str, ...]) -> bool:
    return covers(pattern, value) if isinstance(value, str) else any(covers(pattern, each) for each in value)


def _code(rule: LimitRule) -> str:
    if rule.unit == "concurrency":
        return "c"
    # A chain's total goes when the chain is over; the total of anything else stays for good.
    return "C" if rule.per == "chain" and rule.window == "total" else CODES[rule.window]
