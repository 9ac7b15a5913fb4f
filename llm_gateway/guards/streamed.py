"""A streamed reply under guard: its texts run through every guard in turn, each of which may hold back a
little.
"""

import asyncio

from msgspec.structs import replace

from llm_gateway.chat.events import Begin, Event, PartBegin, PartDelta, PartEnd
from llm_gateway.chat.parts import AnyPart, Refusal, Text, Thinking, ToolCall
from llm_gateway.guards.run import Run, Watching
from llm_gateway.guards.section import Who
from llm_gateway.guards.verdict import Passage
from shared.errors import Forbidden

# The longest arguments that are waited for.
_ARGUMENTS = 1_048_576


class Streamed:
    """One stream. Parts come one after the other, so that there is never more than one to keep."""

    def __init__(self, run: Run) -> None:
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

    def __init__(self, run: Run, place: int, who: Who) -> None:
        self._place = place
        self._links = [_Link(watching, who) for watching in run.watching]
        self._signature = ""

    async def feed(self, event: PartDelta) -> list[Event]:
        self._signature += event.signature
        text = event.text
        for link in self._links:
            if text:
                text = await link.feed(text)
        if text == event.text and not event.signature:
            return [event] if text else []
        return [PartDelta(place=self._place, text=text)] if text else []

    async def end(self) -> list[Event]:
        rest = ""
        for link in self._links:
            # What one lets go at the end is the last that the next one gets.
            rest = (await link.feed(rest) if rest else "") + await link.end()
        out: list[Event] = [PartDelta(place=self._place, text=rest)] if rest else []
        if self._signature and not any(link.changed for link in self._links):
            out.append(PartDelta(place=self._place, signature=self._signature))
        return out


class _Link:
    """One guard over one part. One that only watches gets the same text, and nobody waits for it."""

    def __init__(self, watching: Watching, who: Who) -> None:
        self.changed = False
        self._watching = watching
        self._enforces = watching.enforces
        self._strain = watching.watch.strain(who, enforced=watching.enforces)
        self._room = watching.active.section.max_chars
        self._seconds = watching.active.section.timeout_seconds
        self._over = False

    async def feed(self, text: str) -> str:
        if self._over:
            return text
        held = self._strain.held
        self._room -= len(text)
        if self._room < 0:
            self._over = True
            self._watching.failed("so many characters", too_long=True)
            return self._passed(held, text)
        try:
            async with asyncio.timeout(self._seconds):
                passage = await self._strain.feed(text)
        except Exception as error:  # the guard's failure, not the stream's
            self._over = True
            self._watching.failed(error)
            return self._passed(held, text)
        return self._obeyed(passage, text)

    async def end(self) -> str:
        if self._over:
            return ""
        self._over = True
        held = self._strain.held
        try:
            async with asyncio.timeout(self._seconds):
                passage = await self._strain.end()
        except Exception as error:  # the guard's failure, not the stream's
            self._watching.failed(error)
            return self._passed(held, "")
        return self._obeyed(passage, "")

    def _passed(self, held: str, text: str) -> str:
        return held + text if self._enforces else text

    def _obeyed(self, passage: Passage, text: str) -> str:
        self._watching.note(*passage.findings)
        if passage.refusal:
            self._watching.refuse("reply", passage.refusal, broken=passage.broken)
        if not self._enforces:
            if passage.changed:
                self._watching.note("would_change")
            return text
        self.changed = self.changed or passage.changed
        return passage.text


class _Call:
    """A call of a tool: nobody can run it before it is complete, so that it is looked at as a whole."""

    def __init__(self, run: Run, place: int, part: ToolCall) -> None:
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
            raise Forbidden(
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
