"""Answers given before. A memo belongs to one policy and dies with it: no answer outlives its epoch."""

from collections.abc import Mapping
from types import NoneType
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# Values of these types are equal only where no condition can tell them apart, and nobody can change them
# later.
_PLAIN = frozenset((str, int, float, bool, NoneType))
_LONGEST = 512
_ABSENT = object()


class Memo(Generic[T]):
    """At most `size` answers, then it starts again. Long names are not kept: callers choose them."""

    __slots__ = ("_kept", "_size")

    def __init__(self, size: int) -> None:
        self._kept: dict[tuple[Any, ...], T] = {}
        self._size = size

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: tuple[Any, ...]) -> T | None:
        return self._kept.get(key)

    def remember(self, key: tuple[Any, ...], answer: T) -> None:
        if self._size == 0 or any(type(part) is str and len(part) > _LONGEST for part in key):
            return
        if len(self._kept) >= self._size:
            self._kept.clear()
        self._kept[key] = answer


def values(names: tuple[str, ...], ctx: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """What `ctx` says to `names`, or None where a value is no key to remember an answer by."""
    found = []
    for name in names:
        try:
            value = ctx[name]
        except KeyError:
            value = _ABSENT
        else:
            if type(value) not in _PLAIN and not _texts(value):
                return None
        found.append(value)
    return tuple(found)


def _texts(value: object) -> bool:
    return isinstance(value, tuple | frozenset) and all(type(item) is str for item in value)
