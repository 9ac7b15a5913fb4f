"""Single members of a JSON document, reached by JSON Pointer (RFC 6901) and changed in place. What no pointer
leads to is never read: it stays the bytes that it was, long numbers and all.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

# The keys on the way to a member; the first is "", for the document itself.
Steps = tuple[str, ...]
# A level of the document that has been opened. Its values are opened ones, or Raw.
Level = dict[str, Any] | list[Any]
# A part of a pointer that stands for every item of a list; in an object it is a name like any other.
EVERY = "*"
# Objects and lists that are looked into, over all pointers: they are small, and take their time all the same.
_MOST_LOOKS = 50_000


class NotJson(ValueError):
    """The document is none."""


class Overgrown(ValueError):
    """There is more to look through, or more to be set, than there may be."""


def steps_of(pointer: str) -> Steps:
    """Raises ValueError for what is no pointer, or points at the whole document."""
    if not pointer.startswith("/") or pointer == "/":
        raise ValueError("a JSON Pointer starts with / and names a member")
    if re.search("~(?![01])", pointer):
        raise ValueError("in a JSON Pointer ~ is written ~0, and / in a name ~1")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/"))


class Members:
    """One document. `room` is how many bytes may be added to it. Raises NotJson."""

    def __init__(self, body: bytes, room: int) -> None:
        try:
            self._top: dict[str, Any] = {"": msgspec.json.decode(body, type=Raw)}
        except (msgspec.DecodeError, RecursionError) as error:
            raise NotJson("is not valid JSON") from error
        self._room = room
        self._looks = _MOST_LOOKS

    def encoded(self) -> bytes:
        return msgspec.json.encode(self._top[""])

    def rename(self, steps: Steps, name: str) -> None:
        """Where there is such a member of an object, it replaces whatever had the new name."""
        for level in self._levels(steps):
            if isinstance(level, dict) and steps[-1] in level:
                level[name] = level.pop(steps[-1])

    def remove(self, steps: Steps) -> None:
        for level in self._levels(steps):
            for key in reversed(_keys(level, steps[-1])):
                del level[key]

    def set(self, steps: Steps, value: Raw) -> bool:
        """Objects that are missing on the way are made. False where something else is in the way. Raises
        Overgrown.
        """
        taken, size = EVERY in steps, len(bytes(value))
        for level in self._levels(steps, make=True):
            keys: list[Any] = [steps[-1]] if isinstance(level, dict) else _keys(level, steps[-1])
            for key in keys:
                self._spend(steps[-1], size)
                level[key] = value
                taken = True
        return taken

    def _levels(self, steps: Steps, *, make: bool = False) -> list[Level]:
        """Those in which the last step is a key. With `make`, objects that are not there are."""
        found: list[Level] = [self._top]
        for step in steps[:-1]:
            found = [below for level in found for below in self._below(level, step, make)]
        return found

    def _below(self, level: Level, step: str, make: bool) -> Iterator[Level]:
        if make and isinstance(level, dict) and step not in level:
            self._spend(step, 2)
            level[step] = {}
        for key in _keys(level, step):
            opened = _opened(level[key])
            if opened is not None:
                self._look()
                level[key] = opened
                yield opened

    def _look(self) -> None:
        self._looks -= 1
        if self._looks < 0:
            raise Overgrown(f"has more than the {_MOST_LOOKS} items that are looked through")

    def _spend(self, name: str, size: int) -> None:
        self._room -= len(name) + size
        if self._room < 0:
            raise Overgrown("has no room for what is to be set in it")


def _keys(level: Level, step: str) -> list[Any]:
    """What a step stands for on this level: nothing, a key, or every index of a list."""
    if isinstance(level, dict):
        return [step] if step in level else []
    if step == EVERY:
        return list(range(len(level)))
    plain = step.isdecimal() and step.isascii() and (step == "0" or step[0] != "0")
    return [int(step)] if plain and len(step) < 10 and int(step) < len(level) else []


def _opened(value: Level | Raw) -> Level | None:
    """None for what has no members. Raises NotJson."""
    if not isinstance(value, Raw):
        return value
    kinds: tuple[type[Level], ...] = (dict[str, Raw], list[Raw])
    for kind in kinds:
        try:
            return msgspec.json.decode(value, type=kind)
        except msgspec.ValidationError:
            continue
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # A name that is no Unicode: only now has anybody looked.
            raise NotJson("is not valid JSON") from error
    return None
