"""Patterns in which only `*` is special (any text, also none), and an index from a name to what covers it.

The two sides never change places: a `*` inside a name is a character like any other.
"""

from bisect import insort
from typing import Generic, TypeVar

T = TypeVar("T")
Shape = tuple[int, int]


def covers(pattern: str, name: str) -> bool:
    """Whether `pattern` covers `name`. There is no backtracking that a name could exploit."""
    head, star, rest = pattern.partition("*")
    if not star:
        return pattern == name
    *inner, tail = rest.split("*")
    if len(name) < len(head) + len(tail) or not name.startswith(head) or not name.endswith(tail):
        return False
    at, end = len(head), len(name) - len(tail)
    for part in inner:
        at = name.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def overlaps(one: str, other: str) -> bool:
    """Whether some name is covered by both patterns."""
    if "*" not in one:
        return covers(other, one)
    if "*" not in other:
        return covers(one, other)
    # Two patterns with a star in each: what stands between head and tail of one fits in the other's star.
    head, other_head = one.partition("*")[0], other.partition("*")[0]
    tail, other_tail = one.rpartition("*")[2], other.rpartition("*")[2]
    heads = head.startswith(other_head) or other_head.startswith(head)
    return heads and (tail.endswith(other_tail) or other_tail.endswith(tail))


def stems(name: str) -> tuple[str, ...]:
    """Where the patterns that cover `name` can be filed: `""`, `tool:`, `tool:git/`."""
    colon = name.find(":") + 1
    if not colon:
        return ("",)
    slash = name.find("/", colon) + 1
    return ("", name[:colon], name[:slash]) if slash else ("", name[:colon])


class PatternIndex(Generic[T]):
    """Values filed under patterns. A look-up costs the same for ten patterns and for ten thousand."""

    __slots__ = ("_literals", "_stems")

    def __init__(self) -> None:
        self._literals: dict[str, list[T]] = {}
        self._stems: dict[str, _Stem[T]] = {}

    def __bool__(self) -> bool:
        return bool(self._literals or self._stems)

    def add(self, pattern: str, value: T) -> None:
        head, star, _ = pattern.partition("*")
        if not star:
            self._literals.setdefault(pattern, []).append(value)
            return
        stem = stems(head)[-1]
        if stem not in self._stems:
            self._stems[stem] = _Stem()
        self._stems[stem].add(pattern, value)

    def exactly(self, name: str) -> list[T]:
        """The values filed under this very name, and under no pattern."""
        return self._literals.get(name, [])

    def find(self, name: str, name_stems: tuple[str, ...]) -> list[T]:
        """The values of every pattern that covers `name`; `name_stems` is `stems(name)`, worked out once."""
        found = list(self._literals.get(name, ()))
        if self._stems:
            for stem in name_stems:
                patterns = self._stems.get(stem)
                if patterns is not None:
                    patterns.collect(name, found)
        return found


class _Stem(Generic[T]):
    """Patterns with one beginning, filed by the literal text before their first and after their last `*`."""

    __slots__ = ("_filed", "_shapes")

    def __init__(self) -> None:
        self._shapes: list[Shape] = []
        self._filed: dict[Shape, dict[str, list[tuple[str, T]]]] = {}

    def add(self, pattern: str, value: T) -> None:
        head, _, rest = pattern.partition("*")
        inner, star, tail = rest.rpartition("*")
        shape = (len(head), len(tail))
        if shape not in self._filed:
            insort(self._shapes, shape)
            self._filed[shape] = {}
        # What stands between two stars is all that is left to look at once head and tail are equal.
        self._filed[shape].setdefault(head + tail, []).append(
            (pattern if star and inner.strip("*") else "", value)
        )

    def collect(self, name: str, found: list[T]) -> None:
        length = len(name)
        for shape in self._shapes:
            head, tail = shape
            if head + tail > length:
                continue
            key = name[:head] + name[length - tail :] if tail else name[:head]
            for pattern, value in self._filed[shape].get(key, ()):
                if not pattern or covers(pattern, name):
                    found.append(value)
