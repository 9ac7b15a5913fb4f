"""One guard at one call: asks it, records what it finds, obeys it where it enforces; what becomes of the call
when it fails is as configured.
"""

import asyncio
from collections.abc import Sequence
from typing import Generic, NoReturn, TypeVar

from msgspec import Struct

from shared.account import Flight
from shared.errors import ContentRefused, Unavailable, UpstreamBroken
from shared.guards.section import GuardSection, Place
from shared.guards.verdict import NOTHING, Guard, Occasion, Passage, Said, Side, Verdict
from shared.ledger.entry import Entry

# An entry is a row of a table: one call may find a thousand things, and is told apart by the first of them.
_FINDINGS = 32
_FINDINGS_EACH = 8
# What a text costs beside its characters.
_TEXT_OVERHEAD = 16
OccasionT = TypeVar("OccasionT", bound=Occasion)


class Misfit(UpstreamBroken):
    """The model answered, and not as it was asked to: another one may, but this one is not out of order."""


class Active(Struct, Generic[OccasionT], frozen=True):
    """A guard that applies to a call, and where it looks."""

    section: GuardSection
    guard: Guard[OccasionT]
    places: frozenset[Place]

    @property
    def enforces(self) -> bool:
        return self.section.mode == "enforce"


class Watching(Generic[OccasionT]):
    """`untrusted` is set once it has found that somebody tries to give orders, whatever its mode."""

    def __init__(self, active: Active[OccasionT], occasion: OccasionT, flight: Flight) -> None:
        self.active = active
        self.watch = active.guard.watch(occasion)
        self.enforces = active.enforces
        self.untrusted = False
        self._reply = occasion.reply
        self._entry: Entry = flight.entry

    async def verdict(self, texts: Sequence[Said], side: Side) -> Verdict:
        """What is to be done with these texts; nothing where it only watches. Raises ContentRefused,
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
        if self.seen(verdict, side):
            return NOTHING
        if verdict.texts and not self.enforces:
            self.note("would_change")
            return NOTHING
        return verdict

    def seen(self, said: Verdict | Passage, side: Side = "reply") -> bool:
        """Records what it says; whether it would refuse. Raises ContentRefused or UpstreamBroken where it
        does.
        """
        self.untrusted = self.untrusted or said.untrusted
        self.note(*said.findings)
        if said.refusal:
            self.refuse(side, said.refusal, broken=said.broken)
        return bool(said.refusal)

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
        """Raises ContentRefused or, where the model is to blame, UpstreamBroken, unless the guard only
        watches.
        """
        if not self.enforces:
            self.note("would_refuse")
            return
        self.note("refused")
        whose = "this request was refused" if side == "request" else f"{self._reply} was stopped"
        detail = f"{whose} by the guard {self.active.section.name!r}: {why}"
        raise Misfit(detail) if broken else self._refusal(detail)

    def failed(self, cause: Exception | str, *, too_long: bool = False) -> None:
        """Records a failure of the guard itself. Raises Unavailable or, for a text that is too long to look
        at, ContentRefused where that ends the call.
        """
        self.note("too_long" if too_long else "failed")
        if self.active.section.fail == "closed" and self.enforces:
            self._close(cause, too_long)

    def _close(self, cause: Exception | str, too_long: bool) -> NoReturn:
        name = self.active.section.name
        if too_long:
            raise self._refusal(f"the guard {name!r} looks at no text with {cause}")
        detail = f"the guard {name!r} could not be asked, and nothing passes without it; try again later"
        raise Unavailable(detail, cause=cause) from (cause if isinstance(cause, Exception) else None)

    def _refusal(self, detail: str) -> ContentRefused:
        error = ContentRefused(detail, data={"code": "content_filter"})
        error.rule, error.epoch = f"guard:{self.active.section.name}", self._entry.epoch
        return error
