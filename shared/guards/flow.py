"""A text that comes in pieces, on its way through every guard in turn; each may hold some of it back."""

import asyncio
from typing import Generic

from shared.guards.run import Run
from shared.guards.section import Who
from shared.guards.verdict import Passage
from shared.guards.watching import OccasionT, Watching


class Flow(Generic[OccasionT]):
    """One text. `changed`: what has come out is not what went in."""

    def __init__(self, run: Run[OccasionT], who: Who) -> None:
        self._links = [_Link(watching, who) for watching in run.watching]

    @property
    def changed(self) -> bool:
        return any(link.changed for link in self._links)

    async def feed(self, text: str) -> str:
        """What may go out now. Raises ContentRefused, UpstreamBroken, Unavailable."""
        for link in self._links:
            if text:
                text = await link.feed(text)
        return text

    async def end(self) -> str:
        """The text is complete: what was held of it. Raises as `feed` does."""
        rest = ""
        for link in self._links:
            # What one lets go at the end is the last that the next one gets.
            rest = (await link.feed(rest) if rest else "") + await link.end()
        return rest


class _Link(Generic[OccasionT]):
    """One guard over one text. One that only watches gets the same text, and nobody waits for it."""

    def __init__(self, watching: Watching[OccasionT], who: Who) -> None:
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
        self._watching.seen(passage)
        if not self._enforces:
            if passage.changed:
                self._watching.note("would_change")
            return text
        self.changed = self.changed or passage.changed
        return passage.text
