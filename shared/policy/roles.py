"""What principals and resources belong to: roles in roles, catalogs in catalogs, as far as Casbin follows."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from shared.policy.glob import PatternIndex, stems
from shared.policy.names import ANY

# Casbin's role managers follow ten levels, of which the member itself is the first.
DEEPEST = 9
_REMEMBERED = 16_384
_NONE: dict[str, list[str]] = {}

Step = Callable[[str], Iterable[str]]


class Roles:
    """Who has which roles in which domain. Links of the domain `*` hold in every domain."""

    __slots__ = ("_links", "_reached")

    def __init__(self, links: Iterable[Sequence[str]]) -> None:
        self._links: dict[str, dict[str, list[str]]] = {}
        self._reached: dict[tuple[str, str], tuple[str, ...]] = {}
        for member, role, dom in links:
            self._links.setdefault(dom, {}).setdefault(member, []).append(role)

    def of(self, member: str, dom: str) -> tuple[str, ...]:
        """`member` and all its roles in `dom`."""
        known = dom if dom in self._links else ANY
        if member not in self._links.get(known, _NONE) and member not in self._links.get(ANY, _NONE):
            return (member,)
        found = self._reached.get((known, member))
        if found is None:
            if len(self._reached) >= _REMEMBERED:
                self._reached.clear()
            found = self._reached[known, member] = tuple(_reach(member, self._step(known))[0])
        return found

    def links(self) -> Iterator[tuple[str, str, str]]:
        """Every member, role and domain as they were linked."""
        for dom, members in self._links.items():
            for member, roles in members.items():
                for role in roles:
                    yield member, role, dom

    def cut(self, member: str, dom: str) -> bool:
        """Whether `member` has roles that are too far away to be found."""
        return _reach(member, self._step(dom))[1]

    def _step(self, dom: str) -> Step:
        here, everywhere = self._links.get(dom, _NONE), self._links.get(ANY, _NONE)
        if here is everywhere:
            return lambda member: here.get(member, ())
        return lambda member: (*here.get(member, ()), *everywhere.get(member, ()))


class Catalogs:
    """Which catalogs a resource is part of, by its name or by a pattern."""

    __slots__ = ("_patterns", "links")

    def __init__(self, links: Iterable[Sequence[str]]) -> None:
        self._patterns: PatternIndex[str] = PatternIndex()
        self.links = tuple((resource, catalog) for resource, catalog in links)
        for resource, catalog in self.links:
            self._patterns.add(resource, catalog)

    def of(self, resource: str) -> tuple[str, ...]:
        """All catalogs of `resource`, without itself."""
        return tuple(_reach(resource, self._step)[0])[1:] if self._patterns else ()

    def cut(self, resource: str) -> bool:
        return _reach(resource, self._step)[1]

    def _step(self, name: str) -> Iterable[str]:
        return self._patterns.find(name, stems(name))


def _reach(start: str, step: Step) -> tuple[dict[str, None], bool]:
    """Everything reached from `start`, nearest first, and whether something lies too deep."""
    reached: dict[str, None] = {start: None}
    edge = [start]
    for _ in range(DEEPEST):
        further = []
        for near in edge:
            for name in step(near):
                if name not in reached:
                    reached[name] = None
                    further.append(name)
        if not further:
            return reached, False
        edge = further
    return reached, any(name not in reached for near in edge for name in step(near))
