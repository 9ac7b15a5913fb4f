"""How long a request and a reply may be, in characters."""

from collections.abc import Sequence

from shared.guards.section import LengthSection, Place, Who
from shared.guards.verdict import NOTHING, Occasion, Passage, Said, Side, Verdict, Watch

_FOUND = "too_long"


class Length:
    places: tuple[Place, ...] = ("request", "reply", "stream")

    def __init__(self, section: LengthSection, *_: object) -> None:
        self._section = section

    def watch(self, occasion: Occasion) -> Watch:
        return LengthWatch(self._section)


class LengthWatch:
    """`said` is what a stream has said until now, in all its parts."""

    restores = False

    def __init__(self, section: LengthSection) -> None:
        self._request, self._reply = section.request, section.reply
        self._said = 0

    async def check(self, texts: Sequence[Said], side: Side) -> Verdict:
        size = sum(len(said.text) for said in texts)
        if side == "reply":
            # A stream's calls of tools come here one by one.
            size = self._said = self._said + size
        return self._verdict(size, self._request if side == "request" else self._reply)

    def strain(self, who: Who, *, enforced: bool) -> "Count":
        return Count(self)

    def grown(self, size: int) -> Verdict:
        self._said += size
        return self._verdict(self._said, self._reply)

    def _verdict(self, size: int, most: int) -> Verdict:
        if not most or size <= most:
            return NOTHING
        return Verdict(
            findings=(_FOUND,), refusal=f"it is longer than the {most} characters that are allowed"
        )


class Count:
    held = ""

    def __init__(self, watch: LengthWatch) -> None:
        self._watch = watch

    async def feed(self, text: str) -> Passage:
        verdict = self._watch.grown(len(text))
        return Passage(text=text, findings=verdict.findings, refusal=verdict.refusal)

    async def end(self) -> Passage:
        return Passage()
