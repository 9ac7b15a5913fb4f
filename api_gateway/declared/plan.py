"""What has to be done so that a stack is as its files say, and in which batches."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from api_gateway.declared import SHAPES
from api_gateway.declared.fields import plain
from api_gateway.declared.files import Declared

Action = Literal["make", "change", "remove", "keep"]
_MOST, _MOST_BYTES = 500, 4_000_000
_ORDER = tuple(SHAPES)
# The policy is a version of its own each time, in no transaction with others.
_ALONE = ("policy",)


class Planned(Struct, frozen=True, kw_only=True):
    """What is to be done with one object. `if_match` is the etag of what it was planned on."""

    action: Action
    kind: str
    name: str
    spec: Any = None
    if_match: str = ""
    differences: list[dict[str, Any]] = []

    def change(self) -> Raw:
        """As the admin API takes it."""
        told: dict[str, Any] = {"kind": self.kind, "name": self.name, "if_match": self.if_match}
        told |= {"remove": True} if self.action == "remove" else {"spec": self.spec}
        return Raw(msgspec.json.encode(told))


def plan(
    declared: Sequence[Declared], present: Sequence[dict[str, Any]], owner: str, *, prune: bool
) -> list[Planned]:
    """In the order in which it is done. With `prune` what `owner` made before and does not declare any more
    goes, last.
    """
    held = {(one["kind"], one["name"]): one for one in present if one["kind"] in SHAPES}
    ordered = sorted(declared, key=lambda one: _ORDER.index(one.kind))
    found = [_planned(one, held.pop((one.kind, one.name), None)) for one in ordered]
    if not prune:
        return found
    left = sorted(held.values(), key=lambda one: (-_ORDER.index(one["kind"]), one["name"]))
    gone = [one for one in left if one["owner"] == owner]
    return found + [
        Planned(action="remove", kind=one["kind"], name=one["name"], if_match=one["etag"]) for one in gone
    ]


def batches(planned: Iterable[Planned]) -> Iterator[list[Planned]]:
    """What is to be done, cut to what goes into one transaction."""
    batch: list[Planned] = []
    size = 0
    for one in planned:
        if one.action == "keep":
            continue
        length = len(bytes(one.change()))
        full = len(batch) == _MOST or size + length > _MOST_BYTES
        if batch and (full or one.kind in _ALONE or batch[-1].kind in _ALONE):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += length
    if batch:
        yield batch


def _planned(one: Declared, held: dict[str, Any] | None) -> Planned:
    shape = SHAPES[one.kind]
    if held is None:
        return Planned(action="make", kind=one.kind, name=one.name, spec=plain(one.spec))
    differs = shape.differences(msgspec.convert(held["spec"], shape.spec), one.spec)
    return Planned(
        action="change" if differs else "keep",
        kind=one.kind,
        name=one.name,
        spec=plain(one.spec),
        if_match=held["etag"],
        differences=differs,
    )
