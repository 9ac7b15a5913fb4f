"""Guards over what is sent to other endpoints than chat: the texts that an inquiry holds."""

from llm_gateway.catalog import Model
from llm_gateway.endpoints.as_chat import as_chat
from llm_gateway.endpoints.endpoint import Inquiry
from llm_gateway.guards.selected import ChatGuards
from shared.account import Flight
from shared.errors import Forbidden
from shared.guards.section import GuardSection


class Inspect:
    def __init__(self, guards: ChatGuards) -> None:
        self._guards = guards

    async def __call__(self, inquiry: Inquiry, flight: Flight, model: Model) -> tuple[GuardSection, ...]:
        """Which guards this call has. Raises Forbidden, also where one would have the text rewritten: these
        requests go on as they are. Raises Unavailable.
        """
        caller = flight.entry.caller
        if caller is None or not inquiry.texts:
            return ()
        active = self._guards.for_caller(caller, model, flight.entry.tags)
        if not active:
            return ()
        chat = as_chat(inquiry)
        if await self._guards.run(active, chat, flight).request(chat) is not chat:
            raise Forbidden(
                "a guard would take something out of this text, and this endpoint sends texts as they are: "
                "take it out yourself"
            )
        return tuple(each.section for each in active)
