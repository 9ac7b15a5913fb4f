"""Which guards apply to a call: worked out once for each kind of caller."""

import hmac
from collections.abc import Sequence

from llm_gateway.catalog import Model
from llm_gateway.chat.request import Chat
from llm_gateway.guards import GUARDS
from llm_gateway.guards.judge import MARK_HEADER, Judge
from llm_gateway.guards.run import Active, Run, Watching
from llm_gateway.guards.section import AnyGuardSection
from shared.account import Flight
from shared.http_client import HttpClient
from shared.identity.principal import Caller
from shared.limits.facts import caller_facts
from shared.policy.glob import covers

_KEPT = 4_096
Facts = tuple[tuple[str, str], ...]


class Guards:
    """All guards of a configuration, in their order."""

    def __init__(self, sections: Sequence[AnyGuardSection], *, http: HttpClient) -> None:
        self._active = tuple(_active(section, http) for section in sections)
        self._facts = frozenset(name for each in self._active for name in each.section.match)
        self._memo: dict[Facts, tuple[Active, ...]] = {}

    def for_caller(self, caller: Caller, model: Model, tags: Sequence[str] = ()) -> tuple[Active, ...]:
        if not self._facts:
            return self._active
        facts = self._facts_of(caller, model, tags)
        known = self._memo.get(facts)
        if known is None:
            if len(self._memo) >= _KEPT:
                self._memo.clear()
            known = self._memo[facts] = tuple(each for each in self._active if _matches(each, facts))
        return known

    def run(self, active: Sequence[Active], chat: Chat, flight: Flight) -> Run:
        """The guards at work on one call. A judge's own call is not brought before judges."""
        mark = flight.exchange.header_or_none(MARK_HEADER)
        if mark is None:
            return Run.open(active, chat, flight)
        others = [each for each in active if not isinstance(each.guard, Judge)]
        if not any(hmac.compare_digest(each.mark, mark.encode()) for each in self._judges):
            return Run.open(active, chat, flight)
        for each in active:
            if each not in others:
                Watching(each, each.guard.watch(chat), flight).note("own_call")
        return Run.open(others, chat, flight)

    @property
    def _judges(self) -> list[Judge]:
        return [each.guard for each in self._active if isinstance(each.guard, Judge)]

    def _facts_of(self, caller: Caller, model: Model, tags: Sequence[str]) -> Facts:
        """Those that some guard asks for."""
        known = caller_facts(caller) | {"model": model.name}
        facts = [(name, value) for name, value in known.items() if name in self._facts]
        if "tag" in self._facts:
            facts += [("tag", tag) for tag in sorted(set(tags))]
        return tuple(facts)


def _active(section: AnyGuardSection, http: HttpClient) -> Active:
    guard = GUARDS[str(section.__struct_config__.tag)](section, http)
    return Active(section, guard, frozenset(section.on or guard.places))


def _matches(active: Active, facts: Facts) -> bool:
    return all(
        any(name == fact and covers(pattern, value) for name, value in facts)
        for fact, pattern in active.section.match.items()
    )
