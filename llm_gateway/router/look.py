"""What an answer shows of itself before any of it goes out: which model made it, and whether it says no. Only
targets whose configuration asks for that pay for it.
"""

import re

from llm_gateway.chat.events import Begin, End, Event, PartBegin, PartDelta
from llm_gateway.chat.parts import AnyPart, Refusal, Text, Thinking
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.formats.wires import WIRES
from llm_gateway.router.declined import Declined
from shared.errors import UpstreamFault
from shared.ledger.entry import Usage

# Inside of a JSON text the quotes would be escaped: only a member of the answer itself can look like this.
_MODEL = re.compile(rb'"(?:model|modelVersion)"\s*:\s*"([^"\\]{1,200})"')


# More is no refusal, whatever it will say.
_HELD_BYTES = 1_048_576


class Look:
    """Fed with a provider's bytes as they come. `decided`: what follows will not change `declined` any
    more.
    """

    def __init__(self, wire: str, *, stream: bool, content: bool) -> None:
        self.model = ""
        self.declined = False
        self.usage: Usage | None = None
        self.decided = not content
        self._wire = wire
        self._refuses = False
        self._decoder = WIRES[wire].decoder() if stream and content else None

    def whole(self, body: bytes) -> None:
        self._name(body)
        if not self.decided:
            self.decided = True
            try:
                reply = WIRES[self._wire].reply(body)
                self.declined, self.usage = says_no(reply), reply.usage
            except UpstreamFault:
                # Whoever reads it for the caller says what is wrong with it.
                return

    async def stream(self, answer: Declined) -> None:
        """Reads as much of a stream as it takes to decide. Raises `answer` where that is a refusal."""
        assert answer.chunks is not None
        held = 0
        while not (answer.held and self.decided):
            chunk = await anext(answer.chunks, None)
            if chunk is None:
                return
            answer.held.append(chunk)
            self.chunk(chunk)
            held += len(chunk)
            self.decided = self.decided or held > _HELD_BYTES
        if self.declined:
            answer.usage = self.usage
            raise answer

    def chunk(self, data: bytes) -> None:
        if not self.model:
            self._name(data)
        if self.decided or self._decoder is None:
            return
        try:
            events = self._decoder.feed(data)
        except UpstreamFault:
            self.decided = True
            return
        for event in events:
            self._event(event)

    def _name(self, data: bytes) -> None:
        if (found := _MODEL.search(data)) is not None:
            self.model = found[1].decode("utf-8", "replace")

    def _event(self, event: Event) -> None:
        if self.decided:
            return
        if isinstance(event, End):
            self.decided, self.declined = True, self._refuses or event.stop is Stop.FILTERED
            self.usage = event.usage or self.usage
        elif isinstance(event, Begin):
            self.usage = event.usage
        elif isinstance(event, PartBegin):
            self._refuses = isinstance(event.part, Refusal)
            self.decided = _has_content(event.part)
        elif isinstance(event, PartDelta):
            # Thoughts are shown while they are thought; only a refusal is waited for until its end.
            self.decided = not self._refuses and bool(event.text)


def says_no(reply: Reply) -> bool:
    """Whether a reply is a refusal and nothing else."""
    if any(_has_content(part) for part in reply.parts if not isinstance(part, Refusal)):
        return False
    return reply.stop is Stop.FILTERED or any(isinstance(part, Refusal) and part.text for part in reply.parts)


def _has_content(part: AnyPart) -> bool:
    """Whether a caller could use it. Words of refusal and thoughts are none."""
    if isinstance(part, Text):
        return bool(part.text)
    return not isinstance(part, Refusal | Thinking)
