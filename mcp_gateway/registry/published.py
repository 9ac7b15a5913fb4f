"""What operators have published or imported while the stack runs, as the control plane's `catalog` snapshot
tells it.
"""

import re
from collections.abc import Callable, Iterable

import msgspec

from shared.catalog_entries import CatalogEntry, Kind

_NUMBERS = re.compile(r"v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")
Order = tuple[bool, tuple[int, ...], bool, tuple[tuple[int, str], ...], int]


class Published:
    """`changed` are told whenever there is anything new."""

    def __init__(self) -> None:
        self.changed: list[Callable[[], None]] = []
        self._entries: list[CatalogEntry] = []

    def apply(self, payload: bytes, epoch: int) -> None:
        """Takes over the `catalog` snapshot. Raises ValueError where it is none, and keeps what it has."""
        entries = msgspec.json.decode(payload, type=list[CatalogEntry])
        # Nobody is shown what nobody has looked at.
        self._entries = [entry for entry in entries if entry.state != "quarantined" and not entry.removed]
        for tell in self.changed:
            tell()

    def of(self, kind: Kind) -> list[CatalogEntry]:
        return [entry for entry in self._entries if entry.kind == kind]


def order(version: str, published_at: int) -> Order:
    """What sorts the oldest version first: by precedence (https://semver.org, 11), what is no semantic
    version before those that are, by time.
    """
    match = _NUMBERS.fullmatch(version)
    if match is None:
        return False, (), True, (), published_at
    numbers, before = tuple(int(part) for part in match.groups()[:3]), match[4]
    # A number sorts before a word.
    parts = tuple(_part(part) for part in (before or "").split("."))
    return True, numbers, before is None, parts, published_at


def newest(entries: Iterable[CatalogEntry]) -> dict[str, str]:
    """The latest version of each name; one that is deleted only where there is no other."""
    found: dict[str, tuple[tuple[bool, Order], str]] = {}
    for entry in entries:
        place = entry.state != "deleted", order(entry.version, entry.published_at)
        if entry.name not in found or found[entry.name][0] < place:
            found[entry.name] = place, entry.version
    return {name: version for name, (_, version) in found.items()}


def _part(text: str) -> tuple[int, str]:
    return (int(text), "") if text.isdecimal() and len(text) < 10 else (2**63, text)
