"""What an operator wants changed in the JSON bodies of a route's requests or replies: members set, removed
and renamed. For fitting clients and services together, not for keeping anything from either.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from api_gateway.json_members import Members, Steps, steps_of

_MOST_CHANGES = 64
_MOST_STEPS = 16


class BodyRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First `rename` (JSON Pointer: new name, in the same object), then `remove`, then `set` (JSON Pointer:
    any value). In a pointer `*` is every item of a list. A body of more than `max_bytes` is refused.
    """

    rename: dict[str, str] = {}
    remove: list[str] = []
    set: dict[str, Any] = {}
    max_bytes: Annotated[int, Meta(ge=1, le=4_194_304)] = 262_144


class NoPlace(ValueError):
    """Something is to be set where no member can be."""


class BodyChange:
    """A rule at work."""

    def __init__(self, rule: BodyRule) -> None:
        self.max_bytes = rule.max_bytes
        self._rename = [(steps_of(pointer), name) for pointer, name in rule.rename.items()]
        self._remove = [steps_of(pointer) for pointer in rule.remove]
        self._set = [
            (pointer, steps_of(pointer), Raw(_encoded(value))) for pointer, value in rule.set.items()
        ]

    def apply(self, body: bytes, *, strict: bool) -> bytes:
        """What becomes of `body`. Raises NotJson, Overgrown, and where it is `strict` NoPlace."""
        members = Members(body, self.max_bytes - len(body))
        for steps, name in self._rename:
            members.rename(steps, name)
        for steps in self._remove:
            members.remove(steps)
        for pointer, steps, value in self._set:
            if not members.set(steps, value) and strict:
                raise NoPlace(f"has no place for {pointer}")
        return members.encoded()


def change_of(rule: BodyRule | None) -> BodyChange | None:
    return BodyChange(rule) if rule is not None else None


def problems(path: str, rule: BodyRule | None) -> list[str]:
    """What is wrong with it, as `path: problem`."""
    if rule is None:
        return []
    found = []
    told = [("rename", one) for one in rule.rename] + [("remove", one) for one in rule.remove]
    told += [("set", one) for one in rule.set]
    if len(told) > _MOST_CHANGES:
        found.append(f"{path}: more than {_MOST_CHANGES} changes")
    steps: dict[str, Steps] = {}
    for field, pointer in told:
        try:
            steps[pointer] = steps_of(pointer)
        except ValueError as error:
            found.append(f"{path}.{field}: {pointer!r}: {error}")
        else:
            if len(steps[pointer]) > _MOST_STEPS + 1:
                found.append(f"{path}.{field}: {pointer!r} has more than {_MOST_STEPS} parts")
    targets = [(*steps[old][:-1], new) for old, new in rule.rename.items() if old in steps]
    if len(set(targets)) < len(targets):
        found.append(f"{path}.rename: two members would get one name")
    return found


def _encoded(value: object) -> bytes:
    # What came from the environment is a text of its own kind.
    return msgspec.json.encode(value, enc_hook=str)
