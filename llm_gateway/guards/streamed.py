"""A streamed reply of a model under guard, part by part."""

from msgspec.structs import replace

from llm_gateway.chat.events import Begin, Event, PartBegin, PartDelta, PartEnd
from llm_gateway.chat.parts import AnyPart, Refusal, Text, Thinking, ToolCall
from llm_gateway.guards.run import ChatRun
from shared.errors import ContentRefused
from shared.guards.flow import Flow
from shared.guards.section import Who

# The longest arguments that are waited for.
_ARGUMENTS = 1_048_576


class Streamed:
    """One stream. Parts come one after the other, so that there is never more than one to keep."""

    def __init__(self, run: ChatRun) -> None:
        self._run = run
        self._part: _Texts | _Call | None = None

    async def feed(self, events: list[Event]) -> list[Event]:
        out: list[Event] = []
        for event in events:
            if isinstance(event, PartDelta) and self._part is not None:
                out += await self._part.feed(event)
            elif isinstance(event, PartBegin):
                out += await self._begin(event)
            elif isinstance(event, Begin):
                # Another attempt: of the one before nobody has seen anything.
                self._part = None
                out.append(event)
            elif isinstance(event, PartEnd):
                out += await self.end()
                out.append(event)
            else:
                out.append(event)
        return out

    async def end(self) -> list[Event]:
        part, self._part = self._part, None
        return await part.end() if part is not None else []

    async def _begin(self, event: PartBegin) -> list[Event]:
        part = event.part
        if isinstance(part, Text | Refusal | Thinking):
            self._part = _Texts(
                self._run, event.place, "thinking" if isinstance(part, Thinking) else "assistant"
            )
            signature = part.signature if isinstance(part, Thinking) and not part.redacted else ""
            bare = replace(part, text="", signature="") if signature else replace(part, text="")
            return await self._begun(event, bare, part.text, signature)
        if isinstance(part, ToolCall):
            self._part = _Call(self._run, event.place, part)
            return await self._begun(
                event, replace(part, arguments="", signature=""), part.arguments, part.signature
            )
        seen = await self._run.part(part)
        return [event if seen is part else PartBegin(place=event.place, part=seen)]

    async def _begun(self, event: PartBegin, bare: AnyPart, text: str, signature: str) -> list[Event]:
        """The part's beginning without what it says already, which goes the way of what follows."""
        if not text and not signature:
            return [event]
        assert self._part is not None
        first = PartDelta(place=event.place, text=text, signature=signature)
        return [PartBegin(place=event.place, part=bare), *await self._part.feed(first)]


class _Texts:
    """A part that is words. A signature goes out after them, unless they have been changed: then it signs
    nothing.
    """

    def __init__(self, run: ChatRun, place: int, who: Who) -> None:
        self._place = place
        self._flow = Flow(run, who)
        self._signature = ""

    async def feed(self, event: PartDelta) -> list[Event]:
        self._signature += event.signature
        text = await self._flow.feed(event.text)
        if text == event.text and not event.signature:
            return [event] if text else []
        return [PartDelta(place=self._place, text=text)] if text else []

    async def end(self) -> list[Event]:
        rest = await self._flow.end()
        out: list[Event] = [PartDelta(place=self._place, text=rest)] if rest else []
        if self._signature and not self._flow.changed:
            out.append(PartDelta(place=self._place, signature=self._signature))
        return out


class _Call:
    """A call of a tool: nobody can run it before it is complete, so that it is looked at as a whole."""

    def __init__(self, run: ChatRun, place: int, part: ToolCall) -> None:
        self._run = run
        self._place = place
        self._part = part
        self._arguments: list[str] = []
        self._size = 0
        self._signature = ""
        self._holds = any(watching.enforces for watching in run.watching)

    async def feed(self, event: PartDelta) -> list[Event]:
        self._size += len(event.text)
        if self._size <= _ARGUMENTS:
            self._arguments.append(event.text)
        elif self._holds:
            raise ContentRefused(
                f"the model's call of a tool is longer than the {_ARGUMENTS} characters that guards read"
            )
        self._signature += event.signature
        return [] if self._holds else [event]

    async def end(self) -> list[Event]:
        given = "".join(self._arguments)
        seen = await self._run.part(replace(self._part, arguments=given, signature=""))
        assert isinstance(seen, ToolCall)
        signature = self._signature if seen.arguments == given else ""
        if not self._holds or not (seen.arguments or signature):
            return []
        return [PartDelta(place=self._place, text=seen.arguments, signature=signature)]
