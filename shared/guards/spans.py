"""Guards that find things in texts and refuse or replace them: what they share, for whole texts and for
streams.

A stream is held back only from where something that is not complete may have begun.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from shared.guards.fold import Folded, fold
from shared.guards.section import Who
from shared.guards.verdict import Passage, Said, Side, Verdict

# How much of what has gone out is still looked at: a detector may want to know what stands before a number.
_CONTEXT = 96


class Span(Struct, frozen=True):
    """A find: `what` it is (`EMAIL`), never what it says."""

    start: int
    end: int
    what: str


class Finder(Protocol):
    """`longest` is how much of a stream may be held for one find, in characters."""

    longest: int

    def find(self, text: str) -> list[Span]:
        """What stands in `text`, in order, without overlaps."""
        ...

    def open(self, text: str) -> int:
        """Where at the end of `text` something begins that more text could make a find of, or a longer one;
        its length where there is no such thing.
        """
        ...


# What a find is replaced by, given what it is and what it says; None refuses it.
Replace = Callable[[str, str], str] | None


class SpanWatch:
    """One call's texts, run past a finder."""

    restores = False

    def __init__(self, finder: Finder, replace: Replace) -> None:
        self._finder = finder
        self._replace = replace

    async def check(self, texts: Sequence[Said], side: Side) -> Verdict:
        changed: dict[int, str] = {}
        found: dict[str, None] = {}
        for place, said in enumerate(texts):
            folded = fold(said.text)
            spans = self._finder.find(folded.text)
            if spans:
                found |= dict.fromkeys(span.what for span in spans)
                changed[place] = replaced(folded, spans, 0, len(folded.text), self._replace)
        if self._replace is None:
            return Verdict(findings=tuple(found), refusal=_refusal(found) if found else "")
        return Verdict(findings=tuple(found), texts=changed)

    def strain(self, who: Who, *, enforced: bool) -> "Sieve":
        return Sieve(self._finder, self._replace)


class Sieve:
    """One part of a stream, run past a finder."""

    def __init__(self, finder: Finder, replace: Replace) -> None:
        self.held = ""
        self._finder = finder
        self._replace = replace
        self._context = ""

    async def feed(self, text: str) -> Passage:
        self.held += text
        folded = fold(self._context + self.held)
        spans = self._spans(folded)
        cut = self._finder.open(folded.text)
        # What stands at the very end may be longer than what has come of it.
        growing = next((span for span in spans if span.end > cut or span.end == len(folded.text)), None)
        if growing is not None:
            cut = min(cut, growing.start)
        if len(folded.text) - cut > self._finder.longest:
            if growing is not None:
                return Passage(findings=(growing.what,), refusal=f"it holds too long a {growing.what}")
            cut = len(folded.text)
        return self._let_go(folded, spans, cut)

    async def end(self) -> Passage:
        folded = fold(self._context + self.held)
        return self._let_go(folded, self._spans(folded), len(folded.text))

    def _spans(self, folded: Folded) -> list[Span]:
        """Finds in what has not gone out. Of one that began before it, the rest."""
        gone = folded.index(len(self._context))
        return [
            span if span.start >= gone else Span(gone, span.end, span.what)
            for span in self._finder.find(folded.text)
            if span.end > gone
        ]

    def _let_go(self, folded: Folded, spans: list[Span], cut: int) -> Passage:
        gone = len(self._context)
        start, place = folded.index(gone), max(folded.place(cut), gone)
        complete = [span for span in spans if span.end <= cut]
        found = tuple(dict.fromkeys(span.what for span in complete))
        if found and self._replace is None:
            return Passage(findings=found, refusal=_refusal(found))
        if complete:
            text = replaced(folded, complete, start, cut, self._replace)
        else:
            text = folded.source[gone:place]
        self.held = folded.source[place:]
        self._context = folded.source[max(0, place - _CONTEXT) : place]
        return Passage(text=text, findings=found, changed=bool(complete))


def replaced(folded: Folded, spans: Sequence[Span], start: int, end: int, replace: Replace) -> str:
    """The source from `start` to `end` (places in the folded text) with the finds in it replaced."""
    parts: list[str] = []
    at = folded.place(start)
    for span in spans:
        begins, ends = max(folded.place(span.start), at), folded.after(span.end)
        value = folded.source[begins:ends]
        parts += (folded.source[at:begins], replace(span.what, value) if replace is not None else "")
        at = ends
    return "".join((*parts, folded.source[at : max(at, folded.place(end))]))


def _refusal(found: Sequence[str] | dict[str, None]) -> str:
    return f"it holds {', '.join(found)}"
