"""A policy's own examples, tried: which of them come out otherwise than expected, and why."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from shared.identity.principal import Caller, Principal
from shared.policy.decision import Decision
from shared.policy.document import PolicyTest
from shared.policy.policy import Policy

_PRINCIPAL = ("team", "project", "tier")
# A chain has these by itself; an example of one principal may pretend to be part of a longer one.
_PLACE = ("depth", "hop", "actor", "actors")


class Failure(Struct, frozen=True, kw_only=True):
    """`place` is `tests[3]`, with the example's name where it has one."""

    place: str
    asked: str
    expected: str
    got: str
    why: str


def tried(policy: Policy, tests: Iterable[PolicyTest]) -> list[Failure]:
    """The examples that fail, in their order."""
    return [failure for n, test in enumerate(tests) if (failure := _failure(policy, n, test))]


def _failure(policy: Policy, number: int, test: PolicyTest) -> Failure | None:
    decision = _decision(policy, test)
    got = "deny" if not decision.allowed else "approval" if decision.approval else "allow"
    if got == test.expect and test.rule in ("", decision.rule):
        return None
    by = f" by {decision.rule}" if test.rule and decision.rule else ""
    return Failure(
        place=f"tests[{number}]" + (f" ({test.name})" if test.name else ""),
        asked=f"{' -> '.join(test.actors)} in {test.dom}: {test.act} {test.obj}",
        expected=test.expect + (f" by {test.rule}" if test.rule else ""),
        got=got + by,
        why=f"{decision.hop}: {decision.why}",
    )


def _decision(policy: Policy, test: PolicyTest) -> Decision:
    actors = test.actors
    if len(actors) == 1 and any(name in test.ctx for name in _PLACE):
        own: dict[str, Any] = {"sub": actors[0], "actor": actors[0], "actors": actors, "tenant": test.dom}
        return policy.decide(actors[0], test.dom, test.obj, test.act, own | {"hop": 0, "depth": 0} | test.ctx)
    texts = {name: test.ctx[name] for name in _PRINCIPAL if isinstance(test.ctx.get(name), str)}
    given = test.ctx.get("roles")
    roles = tuple(map(str, given)) if isinstance(given, list | tuple) else ()
    caller = Caller(
        principal=Principal(sub=actors[0], tenant=test.dom, roles=roles, **texts),
        actors=actors,
        chain="",
        credential="example",
        key=str(test.ctx.get("key", "")),
    )
    return policy.decide_chain(caller, test.obj, test.act, test.ctx)
