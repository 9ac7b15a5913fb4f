"""Questions to a whole policy: who can do this, and what can they do? Answered from what is enforced now.

Nothing is promised that a call could still be refused: what hangs on the call stays a condition. In a chain
every principal needs the permission, so an agent never reaches more than those who may hand it work.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from shared.policy.compiled import CompiledRule
from shared.policy.context import spoken_of
from shared.policy.extent import CATALOG, Extents, Patterns, share
from shared.policy.glob import PatternIndex, stems
from shared.policy.names import ANY, GROUPS, PRINCIPALS, RESOURCES, anyof, groups
from shared.policy.policy import Policy
from shared.policy.standing import Match, Standing, weighed

Table = dict[str, dict[str, list[Match]]]
_INVOKE = "invoke"
_EXAMPLES = 5
_PERSONAL = ("sub", "tenant", *sorted(GROUPS))


class Someone(Struct, frozen=True, kw_only=True):
    """A principal, or a subject of rules that stands for principals nobody can list (`team:support`,
    `agent:*`). `team`, `project` and `tier` are None where they are not known."""

    name: str
    tenant: str
    team: str | None = None
    project: str | None = None
    tier: str | None = None

    @property
    def kind(self) -> str:
        return self.name[: self.name.find(":")]


class Holder(Struct, frozen=True, kw_only=True):
    """Somebody who can. An agent's `callers` may hand it such work: they can do it themselves and may use the
    agent; `caller_count` says how many."""

    someone: Someone
    standing: Standing
    callers: tuple[str, ...] = ()
    caller_count: int = 0


class Permission(Struct, frozen=True, kw_only=True):
    """What somebody can do: `action` to `resource`, which for a catalog is `inside`."""

    action: str
    resource: str
    standing: Standing
    inside: Patterns = ()


class Survey:
    """Made once a policy; `survey_of` keeps the last one."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._extents = Extents(policy.catalogs)
        self._by_object: dict[str, list[CompiledRule]] = {}
        for rule in policy.rules:
            self._by_object.setdefault(rule.obj, []).append(rule)
        self._covering = PatternIndex[str]()
        for resource in self._by_object:
            for pattern in self._extents.of(resource):
                self._covering.add(pattern, resource)

    def known(self) -> Iterator[Someone]:
        """Everybody whom the policy itself names, once for every tenant that they are named in."""
        named = dict.fromkeys((rule.sub, rule.dom) for rule in self._policy.rules)
        named |= dict.fromkeys((member, dom) for member, _, dom in self._policy.roles.links())
        for name, dom in named:
            if not name.startswith("role:"):
                yield Someone(name=name, tenant=dom)

    def who_can(
        self,
        action: str,
        resource: str,
        people: Iterable[Someone],
        facts: Mapping[str, Any] | None = None,
    ) -> list[Holder]:
        """Who of `people` can do `action` (`*`: any) to `resource`: a name, a pattern or a catalog."""
        told = _Standings(self._about(action, resource))
        facts = {**spoken(resource), **(facts or {})}
        found, by_subject = [], dict[tuple[str, str], set[str]]()
        for someone in people:
            subjects = self._subjects(someone)
            standing = told.of(someone, subjects, facts)
            if standing is not None:
                found.append(Holder(someone=someone, standing=standing))
                for subject in subjects:
                    by_subject.setdefault((someone.tenant, subject), set()).add(someone.name)
        return self._with_callers(found, by_subject)

    def what_can(
        self, someone: Someone, within: str = ANY, facts: Mapping[str, Any] | None = None
    ) -> list[Permission]:
        """What `someone` can do to resources that `within` (a name, a pattern or a catalog) covers."""
        subjects = self._subjects(someone)
        mine = [
            match.rule
            for match in self._met(self._by_object, ANY, self._extents.of(within))
            if match.rule.sub in subjects and match.rule.dom in (someone.tenant, ANY)
        ]
        asked = dict.fromkeys((rule.act, rule.obj) for rule in mine if rule.effect == "allow")
        known = _known(someone, facts or {})
        by_object: dict[str, list[CompiledRule]] = {}
        for rule in mine:
            by_object.setdefault(rule.obj, []).append(rule)
        found = []
        for action, resource in asked:
            patterns = self._extents.of(resource)
            standing = weighed(self._met(by_object, action, patterns), known | spoken(resource))
            if standing is not None:
                inside = patterns if resource.startswith(CATALOG) else ()
                found.append(Permission(action=action, resource=resource, standing=standing, inside=inside))
        return sorted(found, key=lambda line: (line.resource, line.action))

    def _about(self, action: str, resource: str) -> Table:
        """The rules about any of it, by domain and subject."""
        about = self._by_object
        if ANY not in resource and not resource.startswith(CATALOG):
            # One name is found without a walk over everything that rules are about.
            covering = self._covering.find(resource, stems(resource))
            about = {name: self._by_object[name] for name in covering}
        table: Table = {}
        for match in self._met(about, action, self._extents.of(resource)):
            subjects = table.setdefault(match.rule.dom, {})
            subjects.setdefault(match.rule.sub, []).append(match)
        return table

    def _met(self, by_object: Mapping[str, list[CompiledRule]], action: str, wanted: Patterns) -> list[Match]:
        """The rules about any of `wanted`."""
        acts = (action, ANY)
        found = []
        for resource, rules in by_object.items():
            whole = share(self._extents.of(resource), wanted)
            if whole is not None:
                found += [
                    Match(rule, whole and rule.act in acts)
                    for rule in rules
                    if action == ANY or rule.act in acts
                ]
        return found

    def _subjects(self, someone: Someone) -> dict[str, None]:
        """Everything that rules may call them."""
        roles, tenant, name = self._policy.roles, someone.tenant, someone.name
        kinds = (anyof(name),) if someone.kind in PRINCIPALS else ()
        subjects = dict.fromkeys((ANY, *kinds, *roles.of(name, tenant)))
        for group in groups(someone.team or "", someone.project or "", someone.tier or ""):
            subjects |= dict.fromkeys(roles.of(group, tenant))
        return subjects

    def _with_callers(
        self, found: list[Holder], by_subject: Mapping[tuple[str, str], set[str]]
    ) -> list[Holder]:
        """Adds to every agent which of the others may hand it this work."""
        if not any(holder.someone.kind == "agent" for holder in found):
            return found
        by_pattern: dict[str, list[CompiledRule]] = {}
        for match in self._met(self._by_object, _INVOKE, ("agent:*",)):
            for pattern in self._extents.of(match.rule.obj):
                by_pattern.setdefault(pattern, []).append(match.rule)
        about = PatternIndex[_Callers]()
        for pattern, rules in by_pattern.items():
            about.add(pattern, _Callers(rules, by_subject))
        return [_called(holder, about) for holder in found]


class _Standings:
    """The standing of one person after another. Those whom the same rules are about share theirs, as far as
    no condition reads what tells them apart."""

    def __init__(self, table: Table) -> None:
        self._table = table
        every = (match for subjects in table.values() for found in subjects.values() for match in found)
        conditions = (match.rule.cond for match in every)
        read = set[str]().union(*(cond.names for cond in conditions if cond is not None))
        self._personal = tuple(name for name in _PERSONAL if name in read)
        self._kept: dict[tuple[object, ...], Standing | None] = {}

    def of(self, someone: Someone, subjects: Iterable[str], facts: Mapping[str, Any]) -> Standing | None:
        parts = [part for dom in dict.fromkeys((someone.tenant, ANY)) if (part := self._table.get(dom))]
        met = tuple(subject for part in parts for subject in subjects if subject in part)
        if not met:
            return None
        place = (someone.tenant, met, self._own(someone, facts))
        if place not in self._kept:
            matches = (match for part in parts for subject in subjects for match in part.get(subject, ()))
            self._kept[place] = weighed(matches, _known(someone, facts))
        return self._kept[place]

    def _own(self, someone: Someone, facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        """What conditions read of this person; everything else that is known is the same for everybody, and
        so is what is no text."""
        if not self._personal:
            return ()
        known = _known(someone, facts)
        pairs = ((name, known.get(name)) for name in self._personal)
        return tuple((name, value) for name, value in pairs if isinstance(value, str))


class _Callers:
    """Who may use the agents that one pattern covers, and who may not: worked out once a tenant."""

    def __init__(self, rules: list[CompiledRule], by_subject: Mapping[tuple[str, str], set[str]]) -> None:
        self._rules = rules
        self._by_subject = by_subject
        self._known: dict[str, tuple[set[str], set[str]]] = {}

    def of(self, tenant: str) -> tuple[set[str], set[str]]:
        if tenant not in self._known:
            mine = [rule for rule in self._rules if rule.dom in (tenant, ANY)]
            allows = {rule.sub for rule in mine if rule.effect == "allow"}
            denies = {rule.sub for rule in mine if rule.effect == "deny" and rule.cond is None}
            self._known[tenant] = (self._names(allows, tenant), self._names(denies, tenant))
        return self._known[tenant]

    def _names(self, subjects: set[str], tenant: str) -> set[str]:
        return set[str]().union(*(self._by_subject.get((tenant, subject), ()) for subject in subjects))


@lru_cache(maxsize=1)
def survey_of(policy: Policy) -> Survey:
    return Survey(policy)


def _called(holder: Holder, about: PatternIndex[_Callers]) -> Holder:
    agent = holder.someone.name
    if holder.someone.kind != "agent":
        return holder
    sides = [callers.of(holder.someone.tenant) for callers in about.find(agent, stems(agent))]
    allowed = set[str]().union(*(side[0] for side in sides))
    callers = sorted(allowed.difference({agent}, *(side[1] for side in sides)))
    return msgspec.structs.replace(holder, callers=tuple(callers[:_EXAMPLES]), caller_count=len(callers))


def askable(resource: str) -> bool:
    """Whether `resource` is a name, a pattern or a catalog that policy can be about."""
    kind, colon, rest = resource.partition(":")
    return resource.startswith(ANY) or bool(colon and rest and kind in (*RESOURCES, CATALOG[:-1]))


def spoken(resource: str) -> dict[str, str]:
    """What a resource's name says of every call to it; nothing where it is not one resource."""
    return spoken_of(resource) if ANY not in resource and not resource.startswith(CATALOG) else {}


def _known(someone: Someone, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What conditions can know of every call that `someone` takes part in."""
    known: dict[str, Any] = {**facts, "tenant": someone.tenant}
    if someone.tenant == ANY:
        del known["tenant"]
    if ANY not in someone.name and someone.kind in PRINCIPALS:
        known["sub"] = someone.name
    if someone.kind in GROUPS:
        known[someone.kind] = someone.name.partition(":")[2]
    # An agent works for others as well, and then these are theirs.
    if someone.kind != "agent":
        own = {"team": someone.team, "project": someone.project, "tier": someone.tier}
        known |= {name: value for name, value in own.items() if value is not None}
    return known
