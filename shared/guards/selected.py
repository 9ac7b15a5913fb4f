"""Which guards apply to a call: worked out once for each kind of caller."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic

from shared.guards.section import GuardSection, Place
from shared.guards.verdict import Guard
from shared.guards.watching import Active, OccasionT
from shared.policy.glob import covers

_KEPT = 4_096
Facts = tuple[tuple[str, str], ...]


class Guards(Generic[OccasionT]):
    """All guards of a configuration, in their order. `places` are where they look unless they are told
    otherwise; without them each looks where it makes sense in a chat.
    """

    def __init__(
        self,
        sections: Sequence[GuardSection],
        make: Callable[[Any], Guard[OccasionT]],
        *,
        places: Sequence[Place] = (),
    ) -> None:
        self.active = tuple(_active(section, make(section), places) for section in sections)
        self.facts = frozenset(name for each in self.active for name in each.section.match)
        self._memo: dict[Facts, tuple[Active[OccasionT], ...]] = {}

    def matching(self, known: Mapping[str, str | Sequence[str]]) -> tuple[Active[OccasionT], ...]:
        """Those for a call of which these facts are known; a fact may have several values."""
        if not self.facts:
            return self.active
        facts = tuple(_wanted(known, self.facts))
        found = self._memo.get(facts)
        if found is None:
            if len(self._memo) >= _KEPT:
                self._memo.clear()
            found = self._memo[facts] = tuple(each for each in self.active if _matches(each, facts))
        return found


def _wanted(known: Mapping[str, str | Sequence[str]], names: frozenset[str]) -> Sequence[tuple[str, str]]:
    """Those that some guard asks for."""
    wanted: list[tuple[str, str]] = []
    for name in sorted(names & known.keys()):
        value = known[name]
        values = (value,) if isinstance(value, str) else sorted(set(value))
        wanted += [(name, each) for each in values]
    return wanted


def _active(section: GuardSection, guard: Guard[OccasionT], places: Sequence[Place]) -> Active[OccasionT]:
    return Active(section, guard, frozenset(section.on or places or guard.places))


def _matches(active: Active[OccasionT], facts: Facts) -> bool:
    return all(
        any(name == fact and covers(pattern, value) for name, value in facts)
        for fact, pattern in active.section.match.items()
    )
