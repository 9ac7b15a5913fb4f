"""Named expressions over a text. RE2 takes time in proportion to the text, whatever the expression is."""

from collections.abc import Sequence

# It has no types of its own.
import re2  # type: ignore[import-untyped]

from shared.guards.prefix import Unknown, beginnings
from shared.guards.spans import Span

# How much before the longest match is looked at for where one begins.
_BEFORE = 32


class Patterns:
    """A finder. `longest` is how much of a stream may be held for one match."""

    def __init__(self, expressions: Sequence[tuple[str, str]], longest: int) -> None:
        self.longest = longest
        self._named = [(name, compiled(pattern)) for name, pattern in expressions]
        # Most texts match nothing: that takes one look.
        self._any = compiled("|".join(f"(?:{pattern})" for _, pattern in expressions))
        self._open = _opening([pattern for _, pattern in expressions])

    def find(self, text: str) -> list[Span]:
        if self._any.search(text) is None:
            return []
        found = [
            Span(match.start(), match.end(), name)
            for name, pattern in self._named
            for match in pattern.finditer(text)
            if match.end() > match.start()
        ]
        return _apart(sorted(found, key=lambda span: (span.start, -span.end)))

    def open(self, text: str) -> int:
        tail = text[-self.longest - _BEFORE :]
        before = len(text) - len(tail)
        if self._open is None:
            return max(0, len(text) - self.longest)
        return before + int(self._open.search(tail).start())


def compiled(pattern: str) -> "re2._Regexp":
    """Raises re2.error."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def pattern_problem(pattern: str) -> str:
    """What is wrong with an expression; "" where it can be used."""
    try:
        everywhere = compiled(pattern).search("") is not None
    except re2.error as error:
        what = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        return f"RE2 does not take it: {what}"
    return "it matches everywhere, even where there is nothing" if everywhere else ""


def _opening(patterns: Sequence[str]) -> "re2._Regexp | None":
    """Finds where something begins that reaches the end; None where that cannot be told of these patterns."""
    try:
        return compiled("(?:" + "|".join(f"(?:{beginnings(pattern)})" for pattern in patterns) + r")\z")
    except (Unknown, re2.error):
        return None


def _apart(spans: list[Span]) -> list[Span]:
    """In order and without overlaps: what overlaps is one find, called by its beginning."""
    apart: list[Span] = []
    for span in spans:
        if apart and span.start < apart[-1].end:
            last = apart.pop()
            span = Span(last.start, max(last.end, span.end), last.what)
        apart.append(span)
    return apart
