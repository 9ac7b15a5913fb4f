"""What conditions see of a call: who calls, by the verified caller alone, and the facts of the gateway."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from shared.clock import Clock
from shared.identity.principal import Caller

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_IDENTITY: dict[str, Callable[[Caller, int], Any]] = {
    "sub": lambda caller, hop: caller.actors[hop],
    "actor": lambda caller, hop: caller.actor,
    "actors": lambda caller, hop: caller.actors,
    "hop": lambda caller, hop: hop,
    "depth": lambda caller, hop: caller.depth,
    "tenant": lambda caller, hop: caller.principal.tenant,
    "team": lambda caller, hop: caller.principal.team,
    "project": lambda caller, hop: caller.principal.project,
    "tier": lambda caller, hop: caller.principal.tier,
    "roles": lambda caller, hop: caller.principal.roles,
    "key": lambda caller, hop: caller.key,
}


class Context(dict[str, Any]):
    """One hop's facts, each worked out when a condition first reads it. An unknown name is a KeyError."""

    __slots__ = ("_call",)

    def __init__(
        self, caller: Caller, hop: int, resource: str, facts: Mapping[str, Any], clock: Clock
    ) -> None:
        super().__init__()
        self._call = (caller, hop, resource, facts, clock)

    def __missing__(self, name: str) -> Any:
        self[name] = value = self._find(name)
        return value

    def _find(self, name: str) -> Any:
        caller, hop, resource, facts, clock = self._call
        identity = _IDENTITY.get(name)
        # Before the facts, so that nothing a gateway passes on can change who calls.
        if identity is not None:
            return identity(caller, hop)
        if name in facts:
            return facts[name]
        return (moment(clock.now()) if name in ("hour", "weekday") else spoken_of(resource))[name]


def spoken_of(resource: str) -> dict[str, str]:
    """The facts that a resource's name holds: `tool:git/log` is the tool `git/log` of the server `git`."""
    kind, _, rest = resource.partition(":")
    first, _, tail = rest.partition("/")
    if kind == "model":
        return {"model": rest}
    if kind == "tool":
        return {"server": first, "tool": rest}
    if kind in ("prompt", "resource"):
        return {"server": first}
    if kind == "agent":
        skill = {"skill": tail.removeprefix("skill/")} if tail.startswith("skill/") else {}
        return {"agent": first} | skill
    return {}


def moment(seconds: float) -> dict[str, Any]:
    """`hour` (0-23) and `weekday` (mon … sun), both UTC."""
    when = time.gmtime(seconds)
    return {"hour": when.tm_hour, "weekday": WEEKDAYS[when.tm_wday]}
