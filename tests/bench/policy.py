"""What a policy decision costs, and that it costs the same with 10 rules as with 10,000.

Uncached decisions (memo off) over four shapes of rule sets; the two sizes take turns in short rounds and the
median of the rounds' ratios counts. Processor time, since nothing here waits. `python -m tests.bench.policy`.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from typing import Any

from shared.identity.principal import Caller, Principal
from shared.policy import GroupLink, Policy, PolicyRules, RoleLink, Rule
from shared.policy.enforcer import stock

SMALL, LARGE = 10, 10_000
STOCK = 1_000  # walking more takes seconds
ROUNDS = 21
ASKED = 40  # different requests in each round, the same number for both sizes
CALLS = 1_000

Request = tuple[Caller, str]
Shape = Callable[[int], tuple[PolicyRules, list[Request]]]


def per_tenant(size: int) -> tuple[PolicyRules, list[Request]]:
    """Five servers a tenant, each opened to a role by a pattern."""
    rules = [_rule("role:engineer", f"tenant{n // 5}", f"tool:server{n % 5}/*") for n in range(size)]
    roles = [_link("user:alice", "role:engineer", f"tenant{n}") for n in range(size // 5)]
    requests = [(_caller(f"tenant{n // 5}"), f"tool:server{n % 5}/search") for n in _spread(size)]
    return PolicyRules(rules=rules, roles=roles), requests


def one_tenant(size: int) -> tuple[PolicyRules, list[Request]]:
    """One role in one tenant that holds a pattern for every server, each with a tool that is denied."""
    rules = [_rule("role:engineer", "acme", f"tool:server{n}/*") for n in range(size // 2)]
    rules += [_rule("*", "acme", f"tool:server{n}/delete", eft="deny") for n in range(size // 2)]
    requests = [(_caller("acme"), f"tool:server{n}/search") for n in _spread(size // 2)]
    return PolicyRules(rules=rules, roles=[_link("user:alice", "role:engineer", "acme")]), requests


def catalogs(size: int) -> tuple[PolicyRules, list[Request]]:
    """Rules about catalogs that resources are part of by patterns."""
    rules = [_rule("role:engineer", "acme", f"catalog:c{n}") for n in range(size)]
    groups = [GroupLink(resource=f"tool:server{n}/*", catalog=f"catalog:c{n}") for n in range(size)]
    roles = [_link("user:alice", "role:staff", "acme"), _link("role:staff", "role:engineer", "acme")]
    requests = [(_caller("acme"), f"tool:server{n}/search") for n in _spread(size)]
    return PolicyRules(rules=rules, roles=roles, groups=groups), requests


def conditions(size: int) -> tuple[PolicyRules, list[Request]]:
    """Rules for everybody, each with a condition of its own."""
    rules = [
        _rule("*", "*", f"model:family{n}-*", cond=f'tier == "gold" and depth <= {n % 7} and hop < 9')
        for n in range(size)
    ]
    return PolicyRules(rules=rules), [(_caller("acme"), f"model:family{n}-large") for n in _spread(size)]


SHAPES: dict[str, Shape] = {
    "per_tenant": per_tenant,
    "one_tenant": one_tenant,
    "catalogs": catalogs,
    "conditions": conditions,
}


def measure() -> dict[str, Any]:
    results: dict[str, Any] = {}
    ratios, uncached = [], []
    for name, shape in SHAPES.items():
        ratio, large = _alternate(_asking(shape(SMALL), memo=0), _asking(shape(LARGE), memo=0))
        ratios.append(ratio)
        uncached.append(large)
        results[f"policy.flatness.{name}"] = _result(ratio, "ratio", ratio, "10 rules")
    memoised = _asking(one_tenant(LARGE), memo=16_384)
    stocked = _stock_seconds(one_tenant(STOCK))
    memoised()
    cached = statistics.median(memoised() for _ in range(ROUNDS))
    rules = one_tenant(LARGE)[0]
    load = statistics.median(_seconds(lambda: Policy.compile(rules, 1)) for _ in range(3))
    worst = max(uncached)
    return {
        "policy.flatness": _result(max(ratios), "ratio", max(ratios), "10 rules"),
        **results,
        "policy.uncached_us": _result(worst * 1e6, "us", worst / stocked, "stock casbin, 1,000 rules"),
        "policy.memo_us": _result(cached * 1e6, "us", cached / worst, "uncached"),
        "policy.stock_us": _result(stocked * 1e6, "us", stocked / worst, "uncached, 10,000 rules"),
        "policy.load_ms": _result(load * 1e3, "ms", None, ""),
    }


def _asking(case: tuple[PolicyRules, list[Request]], *, memo: int) -> Callable[[], float]:
    """A round: seconds for one decision, over all requests in turn."""
    rules, requests = case
    policy = Policy.compile(rules, 1, memo=memo)
    assert all(policy.decide_chain(caller, obj, "invoke").allowed for caller, obj in requests)
    asked = list(islice(cycle(requests), CALLS))

    def round_() -> float:
        decide = policy.decide_chain
        began = time.process_time()
        for caller, obj in asked:
            decide(caller, obj, "invoke")
        return (time.process_time() - began) / CALLS

    return round_


def _alternate(small: Callable[[], float], large: Callable[[], float]) -> tuple[float, float]:
    """The median ratio of large to small, and the median of large, after a round of each to warm up."""
    small(), large()
    pairs = [(small(), large()) for _ in range(ROUNDS)]
    return statistics.median(two / one for one, two in pairs), statistics.median(two for _, two in pairs)


def _stock_seconds(case: tuple[PolicyRules, list[Request]]) -> float:
    rules, requests = case
    enforcer = stock(rules)
    caller, obj = requests[len(requests) // 2]
    ask = (caller.actor, caller.principal.tenant, obj, "invoke", {"hop": 0, "tier": "gold"})
    return statistics.median(_seconds(lambda: enforcer.enforce(*ask)) for _ in range(3))


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _spread(size: int) -> Iterator[int]:
    """As many places as every round asks for, spread evenly over `size` rules."""
    return (n * size // ASKED for n in range(ASKED))


def _rule(sub: str, dom: str, obj: str, **more: Any) -> Rule:
    return Rule(sub=sub, dom=dom, obj=obj, act="invoke", **more)


def _link(member: str, role: str, dom: str) -> RoleLink:
    return RoleLink(member=member, role=role, dom=dom)


def _caller(tenant: str) -> Caller:
    principal = Principal(sub="user:alice", tenant=tenant, team="support", tier="gold")
    return Caller(principal=principal, actors=("user:alice",), chain="c", credential="key")


def _result(value: float, unit: str, ratio: float | None, against: str) -> dict[str, Any]:
    rounded = None if ratio is None else round(ratio, 5)
    return {"value": round(value, 3), "unit": unit, "ratio": rounded, "against": against}


def _lines(results: dict[str, Any]) -> list[str]:
    return [
        f"{name:28} {line['value']:>10} {line['unit']:6} {line['ratio'] or ''} {line['against']}"
        for name, line in results.items()
    ]


if __name__ == "__main__":
    print("\n".join(_lines(measure())))
