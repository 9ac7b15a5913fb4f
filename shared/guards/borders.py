"""Guards that judge texts as a whole, over a stream: they are asked at borders, between sentences where there
are any, and what they have not judged is held.
"""

from collections.abc import Awaitable, Callable, Sequence

from shared.guards.section import Who
from shared.guards.verdict import Passage, Said, Verdict

Judge = Callable[[Sequence[Said]], Awaitable[Verdict]]
_ENDS = (". ", "! ", "? ", "\n", "。", "！", "？")
# How much of what has been judged is shown again, so that what stands across a border is seen.
_OVERLAP = 200


class Borders:
    """`size` is after how many characters there is a border, at the next end of a sentence or at twice as
    many characters. Unless it `holds`, there is only the border at the end: nobody waits for it before.
    """

    def __init__(self, judge: Judge, who: Who, *, size: int, holds: bool) -> None:
        self.held = ""
        self._judge = judge
        self._who = who
        self._size = size
        self._holds = holds
        self._seen = ""

    async def feed(self, text: str) -> Passage:
        self.held += text
        cut = self._border()
        return await self._judged(cut) if cut else Passage()

    async def end(self) -> Passage:
        return await self._judged(len(self.held)) if self.held else Passage()

    def _border(self) -> int:
        if not self._holds or len(self.held) < self._size:
            return 0
        if len(self.held) >= 2 * self._size:
            return len(self.held)
        return max(found + len(end) if (found := self.held.rfind(end)) >= 0 else 0 for end in _ENDS)

    async def _judged(self, cut: int) -> Passage:
        """What is judged is what goes out; a little of what has gone out before stands next to it."""
        going = self.held[:cut]
        verdict = await self._judge([Said(self._seen, self._who), Said(going, self._who)])
        text = verdict.texts.get(1, going)
        self.held = self.held[cut:]
        self._seen = going[-_OVERLAP:]
        return Passage(
            text=text,
            findings=verdict.findings,
            refusal=verdict.refusal,
            broken=verdict.broken,
            changed=text != going,
            untrusted=verdict.untrusted,
        )
