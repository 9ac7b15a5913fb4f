"""The rollups: sums of what was spent, kept for each hour, day and month beside the rows they were made of.

The wide cube can answer everything and is nearly as long as the rows: people, agents and tools combine in
more ways than they repeat. Each narrow one answers the questions to a few dimensions from a hundredth of it.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import TypeVar

from msgspec import Struct

from shared.store.columns import COLUMNS, CUBE, HOUR_US, MEASURES, Record
from shared.store.spans import SPANS, floor

_Key = TypeVar("_Key")
_Sums = dict[tuple[int, tuple[str, ...]], list[int]]

_SPENT, _AT = COLUMNS.index("spent"), COLUMNS.index("started_at")
_values_of: Callable[[Record], tuple[str, ...]] = itemgetter(*map(COLUMNS.index, CUBE))
_amounts_of: Callable[[Record], tuple[int, ...]] = itemgetter(*map(COLUMNS.index, MEASURES[1:]))


class Cube(Struct, frozen=True):
    """A table of sums, one line for each span, start and combination of the dimensions' values."""

    table: str
    dimensions: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """`cube` is a digest of the dimensions, which are too long for an index entry of PostgreSQL. Lines of
        the same dimensions under two digests are no mistake: they are added up when they are read."""
        return ("span", "start", "cube", *self.dimensions, *MEASURES)


WIDE = Cube("spend", CUBE)
# What is asked most comes first: the first that has all dimensions of a question answers it.
CUBES = (
    Cube("spend_by_model", ("tenant", "team", "project", "service", "model", "provider")),
    Cube("spend_by_agent", ("tenant", "team", "actor", "service")),
    Cube("spend_by_tool", ("tenant", "team", "server", "tool")),
    Cube("spend_by_principal", ("tenant", "team", "project", "principal", "key", "service")),
    WIDE,
)


def cube_for(columns: Iterable[str]) -> Cube:
    """The first cube that has all of these dimensions. The wide one has every dimension there is."""
    wanted = set(columns)
    return next((cube for cube in CUBES if wanted.issubset(cube.dimensions)), WIDE)


def rollups(records: Iterable[Record]) -> Iterator[tuple[Cube, list[Record]]]:
    """What these records, in the order of COLUMNS, add to each cube: lines in the order of its columns and
    of its key."""
    hours = _hours(records)
    # Worked out once for all that falls into an hour.
    places = {start: [(span, floor(start, span)) for span in SPANS] for start, _ in hours}
    for cube in CUBES:
        if lines := _lines(cube, hours, places):
            yield cube, lines


def _hours(records: Iterable[Record]) -> _Sums:
    """By start and all dimensions."""
    sums: _Sums = {}
    for record in records:
        if record[_SPENT]:
            place = (floor(record[_AT], HOUR_US), _values_of(record))
            _add(sums, place, (1, *_amounts_of(record)))
    return sums


def _lines(cube: Cube, hours: _Sums, places: dict[int, list[tuple[int, int]]]) -> list[Record]:
    kept: Callable[[tuple[str, ...]], tuple[str, ...]] = itemgetter(*map(CUBE.index, cube.dimensions))
    sums: dict[tuple[tuple[int, int], tuple[str, ...]], list[int]] = {}
    for (start, all_values), amounts in hours.items():
        values = kept(all_values)
        for place in places[start]:
            _add(sums, (place, values), amounts)
    lines = [(*place, _key(values), *values, *total) for (place, values), total in sums.items()]
    return sorted(lines, key=itemgetter(0, 1, 2))


def _add(sums: dict[_Key, list[int]], key: _Key, amounts: Sequence[int]) -> None:
    total = sums.get(key)
    if total is None:
        sums[key] = list(amounts)
    else:
        for number, amount in enumerate(amounts):
            total[number] += amount


def _key(values: tuple[str, ...]) -> bytes:
    return hashlib.blake2b("\x1f".join(values).encode(), digest_size=16).digest()
