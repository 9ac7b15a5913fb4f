"""What a kill is aimed at: a pattern for each named dimension, all of which a call must match."""

import re
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from shared.ledger.entry import Entry
from shared.policy.glob import covers

Values = Iterable[str]


def _all(_: Entry) -> Values:
    return ("*",)


def _tenant(entry: Entry) -> Values:
    return (entry.caller.principal.tenant,) if entry.caller else ()


def _principal(entry: Entry) -> Values:
    """Everybody in the chain, by full names."""
    return entry.caller.actors if entry.caller else ()


def _user(entry: Entry) -> Values:
    return (entry.caller.principal.sub.removeprefix("user:"),) if entry.caller else ()


def _team(entry: Entry) -> Values:
    return (entry.caller.principal.team,) if entry.caller else ()


def _project(entry: Entry) -> Values:
    return (entry.caller.principal.project,) if entry.caller else ()


def _key(entry: Entry) -> Values:
    return (entry.caller.key,) if entry.caller else ()


def _chain(entry: Entry) -> Values:
    return (entry.caller.chain,) if entry.caller else ()


def _delegation(entry: Entry) -> Values:
    """Every delegation that the caller acts by: what was handed on with one ends with it."""
    return entry.caller.bounds.delegations if entry.caller else ()


def _agent(entry: Entry) -> Values:
    """Every agent the chain has passed through, and the one that is called."""
    actors = entry.caller.actors if entry.caller else ()
    agents = [actor.removeprefix("agent:") for actor in actors if actor.startswith("agent:")]
    called = entry.agent.removeprefix("agent:")
    return (*agents, called, _resource(entry, "agent:").partition("/skill/")[0])


def _model(entry: Entry) -> Values:
    """The provider's own name, and the alias that was asked for."""
    return (entry.model, _resource(entry, "model:"))


def _provider(entry: Entry) -> Values:
    return (entry.provider,)


def _tool(entry: Entry) -> Values:
    whole = f"{entry.server}/{entry.tool}" if entry.server and entry.tool else ""
    return (whole, entry.tool, _resource(entry, "tool:"))


def _server(entry: Entry) -> Values:
    named = (_resource(entry, f"{kind}:").partition("/")[0] for kind in ("tool", "prompt", "resource"))
    return (entry.server, *named)


def _skill(entry: Entry) -> Values:
    return (entry.skill, _resource(entry, "agent:").partition("/skill/")[2])


def _resource(entry: Entry, kind: str) -> str:
    """What the resource names, where it is of this kind: it is known before the entry's own fields are."""
    return entry.resource[len(kind) :] if entry.resource.startswith(kind) else ""


# What may stand in a selector, and where an entry has it. Users and agents go by their bare names; a
# principal is `user:…`, `agent:…` or `service:…`.
DIMENSIONS: Mapping[str, Callable[[Entry], Values]] = {
    "all": _all,
    "tenant": _tenant,
    "team": _team,
    "project": _project,
    "principal": _principal,
    "user": _user,
    "agent": _agent,
    "key": _key,
    "chain": _chain,
    "delegation": _delegation,
    "model": _model,
    "provider": _provider,
    "tool": _tool,
    "server": _server,
    "skill": _skill,
}
# A full name, or a pattern that can cover one.
_NAMED = re.compile(r"[:*]")
# Policy's names of these are meant alike.
_PREFIXES = {name: f"{name}:" for name in ("user", "agent", "team", "project", "model", "tool")}


class Selector(Struct, frozen=True):
    """`leading` is the pattern to be found by: one without a `*` where there is one."""

    patterns: tuple[tuple[str, str], ...]
    leading: tuple[str, str]

    @classmethod
    def of(cls, selector: Mapping[str, str]) -> "Selector":
        """Raises ValueError on a selector that names nothing, or something that is not known here."""
        if problem := _problem(selector):
            raise ValueError(problem)
        patterns = tuple((name, _bare(name, value)) for name, value in selector.items())
        return cls(patterns, min(patterns, key=lambda pattern: "*" in pattern[1]))

    def matches(self, entry: Entry) -> bool:
        """Whether each dimension has a value that its pattern covers. What is not there is never covered."""
        return all(_covered(pattern, DIMENSIONS[name](entry)) for name, pattern in self.patterns)


def _bare(name: str, value: str) -> str:
    return value.removeprefix(_PREFIXES.get(name, ""))


def _covered(pattern: str, values: Values) -> bool:
    return any(value and covers(pattern, value) for value in values)


def _problem(selector: Mapping[str, str]) -> str:
    if not selector:
        return "a selector must name what is stopped; all: * stops everything"
    for name, value in selector.items():
        if name not in DIMENSIONS:
            return f"{name} is nothing that can be stopped by (known: {', '.join(DIMENSIONS)})"
        if not _bare(name, value) or (name == "all" and value != "*"):
            return f"{name}: {value!r} matches nothing; write * for everything"
        if name == "principal" and not _NAMED.search(value):
            return f"principal: {value!r} is nobody: write user:…, agent:… or service:…"
    return ""
