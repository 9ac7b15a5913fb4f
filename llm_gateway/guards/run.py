"""The guards of one call at work, in their order: what they say is recorded, obeyed where they enforce, and
what becomes of the call when one of them fails is as configured.
"""

import asyncio
from collections.abc import Sequence
from typing import NoReturn, TypeVar

from msgspec import Struct

from llm_gateway.chat.parts import AnyPart
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.chat.request import Chat
from llm_gateway.guards.section import GuardSection, Place
from llm_gateway.guards.texts import texts_of, with_texts
from llm_gateway.guards.verdict import NOTHING, Guard, Said, Side, Verdict, Watch
from shared.account import Flight
from shared.errors import BadRequest, Forbidden, Unavailable, UpstreamBroken
from shared.ledger.entry import Entry

Whole = TypeVar("Whole", Chat, Reply)
# An entry is a row of a table: one call may find a thousand things, and is told apart by the first of them.
_FINDINGS = 32
_FINDINGS_EACH = 8
# What a text costs beside its characters.
_TEXT_OVERHEAD = 16


class Misfit(UpstreamBroken):
    """The model answered, and not as it was asked to: another one may, but this one is not out of order."""


class Active(Struct, frozen=True):
    """A guard that applies to a call, and where it looks."""

    section: GuardSection
    guard: Guard
    places: frozenset[Place]

    @property
    def enforces(self) -> bool:
        return self.section.mode == "enforce"


class Watching:
    """One guard at one call: asks it, records what it finds, and obeys its fail mode."""

    def __init__(self, active: Active, watch: Watch, flight: Flight) -> None:
        self.active = active
        self.watch = watch
        self.enforces = active.enforces
        self._entry: Entry = flight.entry
        self._flight = flight

    async def verdict(self, texts: Sequence[Said], side: Side) -> Verdict:
        """What is to be done with these texts; nothing where it only watches. Raises Forbidden,
        UpstreamBroken, Unavailable.
        """
        section = self.active.section
        if sum(len(said.text) + _TEXT_OVERHEAD for said in texts) > section.max_chars:
            self.failed(f"more than {section.max_chars} characters", too_long=True)
            return NOTHING
        try:
            async with asyncio.timeout(section.timeout_seconds):
                verdict = await self.watch.check(texts, side)
        except Exception as error:  # whatever it is, it is the guard's failure and not the call's
            self.failed(error)
            return NOTHING
        self.note(*verdict.findings)
        if verdict.refusal:
            self.refuse(side, verdict.refusal, broken=verdict.broken)
            return NOTHING
        if verdict.texts and not self.enforces:
            self.note("would_change")
            return NOTHING
        return verdict

    def note(self, *findings: str) -> None:
        """Records findings, each once and no more than so many."""
        name = self.active.section.name
        for what in findings:
            finding, known = f"guard:{name}:{what}", self._entry.findings
            if finding in known or len(known) >= _FINDINGS:
                continue
            if sum(each.startswith(f"guard:{name}:") for each in known) < _FINDINGS_EACH:
                self._entry.findings += (finding,)

    def refuse(self, side: Side, why: str, *, broken: bool) -> None:
        """Raises Forbidden or, where the model is to blame, UpstreamBroken, unless the guard only watches."""
        if not self.enforces:
            self.note("would_refuse")
            return
        self.note("refused")
        name = self.active.section.name
        whose = "this request was refused" if side == "request" else "the model's reply was stopped"
        detail = f"{whose} by the guard {name!r}: {why}"
        if broken:
            raise Misfit(detail)
        error = Forbidden(detail, data={"code": "content_filter"})
        error.rule, error.epoch = f"guard:{name}", self._entry.epoch
        raise error

    def failed(self, cause: Exception | str, *, too_long: bool = False) -> None:
        """Records a failure of the guard itself. Raises Unavailable or, for a text that is too long to look
        at, Forbidden where that ends the call.
        """
        self.note("too_long" if too_long else "failed")
        if self.active.section.fail == "closed" and self.enforces:
            self._close(cause, too_long)

    def _close(self, cause: Exception | str, too_long: bool) -> NoReturn:
        name = self.active.section.name
        if too_long:
            error = Forbidden(
                f"the guard {name!r} looks at no text with {cause}", data={"code": "content_filter"}
            )
            error.rule, error.epoch = f"guard:{name}", self._entry.epoch
            raise error
        detail = f"the guard {name!r} could not be asked, and nothing passes without it; try again later"
        raise Unavailable(detail, cause=cause) from (cause if isinstance(cause, Exception) else None)


class Run:
    """The guards of one call, each with what it remembers of it."""

    def __init__(self, watching: Sequence[Watching]) -> None:
        self.watching = tuple(watching)

    @classmethod
    def open(cls, active: Sequence[Active], chat: Chat, flight: Flight) -> "Run":
        return cls([Watching(each, each.guard.watch(chat), flight) for each in active])

    @property
    def restores(self) -> bool:
        """Whether the reply will hold what only this caller may see."""
        return any(each.watch.restores for each in self.watching)

    def on(self, place: Place) -> "Run | None":
        """Those that look there."""
        there = [each for each in self.watching if place in each.active.places]
        return Run(there) if there else None

    async def request(self, chat: Chat) -> Chat:
        """The request as it may go on; the same object where nobody has changed it."""
        there = self.on("request")
        return chat if there is None else await there._through(chat, "request")

    async def reply(self, reply: Reply) -> Reply:
        return await self._through(reply, "reply")

    async def part(self, part: AnyPart) -> AnyPart:
        """One part of a reply by itself."""
        alone = Reply(id="", model="", parts=(part,), stop=Stop.END)
        return (await self._through(alone, "reply")).parts[0]

    async def _through(self, whole: Whole, side: Side) -> Whole:
        try:
            texts = texts_of(whole)
        except RecursionError as error:
            raise _too_deep(side, error) from error
        for each in self.watching:
            verdict = await each.verdict(texts, side)
            if verdict.texts:
                whole = with_texts(whole, verdict.texts)
                texts = texts_of(whole)
        return whole


def _too_deep(side: Side, cause: Exception) -> BadRequest | UpstreamBroken:
    if side == "request":
        return BadRequest("the body is nested too deep for the guards to look at", cause=cause)
    return UpstreamBroken("the model's reply is nested too deep for the guards to look at", cause=cause)
