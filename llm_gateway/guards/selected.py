"""Which guards apply to a call of a model."""

import hmac
from collections.abc import Sequence

from llm_gateway.catalog import Model
from llm_gateway.chat.request import Chat
from llm_gateway.guards import GUARDS
from llm_gateway.guards.judge import MARK_HEADER, Judge
from llm_gateway.guards.occasion import ChatOccasion, occasion_of
from llm_gateway.guards.run import ChatRun
from llm_gateway.guards.section import AnyGuardSection
from shared.account import Flight
from shared.guards.selected import Guards
from shared.guards.watching import Active, Watching
from shared.http_client import HttpClient
from shared.identity.principal import Caller
from shared.limits.facts import caller_facts

ActiveChat = Active[ChatOccasion]


class ChatGuards(Guards[ChatOccasion]):
    """All guards of a configuration, in their order."""

    def __init__(self, sections: Sequence[AnyGuardSection], *, http: HttpClient) -> None:
        super().__init__(sections, lambda section: GUARDS[str(section.__struct_config__.tag)](section, http))

    def for_caller(self, caller: Caller, model: Model, tags: Sequence[str] = ()) -> tuple[ActiveChat, ...]:
        if not self.facts:
            return self.active
        return self.matching({**caller_facts(caller), "model": model.name, "tag": tuple(tags)})

    def run(self, active: Sequence[ActiveChat], chat: Chat, flight: Flight) -> ChatRun:
        """The guards at work on one call. A judge's own call is not brought before judges."""
        occasion = occasion_of(chat)
        mark = flight.exchange.header_or_none(MARK_HEADER)
        if mark is None:
            return ChatRun.open(active, occasion, flight)
        others = [each for each in active if not isinstance(each.guard, Judge)]
        if not any(hmac.compare_digest(each.mark, mark.encode()) for each in self._judges):
            return ChatRun.open(active, occasion, flight)
        for each in active:
            if each not in others:
                Watching(each, occasion, flight).note("own_call")
        return ChatRun.open(others, occasion, flight)

    @property
    def _judges(self) -> list[Judge]:
        return [each.guard for each in self.active if isinstance(each.guard, Judge)]
