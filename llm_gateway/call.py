"""One call on its way: its request in the caller's own format, and in the neutral form where somebody needs
that.
"""

import msgspec

from llm_gateway.ask import Ask
from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat
from llm_gateway.formats import Format, Outbound
from llm_gateway.formats.openai_responses import FULFILLED
from llm_gateway.formats.wires import WIRES
from llm_gateway.guard import Inspection
from llm_gateway.memory import Memory
from llm_gateway.pin import Pin
from shared.identity.principal import Caller


class Call:
    """`spoken` is the caller's format, `inspection` what guards have said and still have to say. `pin` says
    who can answer, where that is not everybody.
    """

    def __init__(
        self,
        spoken: Format,
        ask: Ask,
        inspection: Inspection,
        caller: Caller,
        memory: Memory,
        pin: Pin | None = None,
    ) -> None:
        self.spoken = spoken
        self.ask = ask
        self.inspection = inspection
        self.pin = pin
        self._caller = caller
        self._memory = memory
        self._chat = inspection.chat

    def copy(self) -> "Call":
        """The same request once more, as guards have left it; none of them sees what answers it."""
        seen = Inspection(self.inspection.chat)
        return Call(self.spoken, self.ask, seen, self._caller, self._memory)

    @property
    def chat(self) -> Chat:
        """Raises BadRequest."""
        if self._chat is None:
            self._chat = self.spoken.chat(self.ask)
        return self._chat

    async def recall(self, wire: str) -> None:
        """Gives the provider's own earlier thoughts back to a conversation whose client could not keep them.
        Raises BadRequest.
        """
        if wire != self.spoken.name:
            self._chat = await self._memory.recalled(self._caller, self.chat, wire)

    def remember(self, reply: Reply) -> None:
        """Keeps the thoughts in `reply` that the client may not be able to keep."""
        self._memory.keep(self._caller, reply)

    def outbound(self, wire: str, model: str, *, count: bool) -> Outbound:
        """The request for a provider that speaks `wire`: the caller's bytes where that is its own format and
        no guard has changed what it says. Raises BadRequest.
        """
        if wire == self.spoken.name and self.inspection.chat is None:
            made = Outbound(body=self.spoken.body_for(self.ask, model, count=count))
        else:
            made = WIRES[wire].request(self.chat, model)
            if not FULFILLED.isdisjoint(made.dropped):
                dropped = tuple(name for name in made.dropped if name not in FULFILLED)
                made = msgspec.structs.replace(made, dropped=dropped)
        return made if self.pin is None else self.pin.fitted(made)
