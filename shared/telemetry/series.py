"""Counters and histograms in the Prometheus text form, each with a bounded number of label sets: what comes
after the last is counted as `other`, so that no caller can make the page grow.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

Labels = tuple[str, ...]
OTHER = "other"
_MOST = 200


class Counter:
    """`add` takes the values of `labels` in their order."""

    kind = "counter"

    def __init__(self, name: str, about: str, labels: Labels = (), *, most: int = _MOST) -> None:
        self.name = name
        self.about = about
        self._labels = labels
        self._most = most
        self._totals: dict[Labels, int] = {} if labels else {(): 0}

    def add(self, values: Labels = (), amount: int = 1) -> None:
        if values not in self._totals and len(self._totals) >= self._most:
            values = (OTHER,) * len(values)
        self._totals[values] = self._totals.get(values, 0) + amount

    def samples(self, service: str) -> Iterator[str]:
        for values, total in sorted(self._totals.items()):
            yield f"{self.name}{{{_shown(service, self._labels, values)}}} {total}"


class _Spread:
    """How often each bucket was met, and the sum of all that was observed."""

    __slots__ = ("counts", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.total = 0.0


class Histogram:
    """`bounds` are the buckets' upper ends, in the unit that the name says."""

    kind = "histogram"

    def __init__(
        self, name: str, about: str, bounds: tuple[float, ...], labels: Labels = (), *, most: int = _MOST
    ) -> None:
        self.name = name
        self.about = about
        self._bounds = bounds
        self._labels = labels
        self._most = most
        self._spreads: dict[Labels, _Spread] = {}

    def observe(self, values: Labels, amount: float) -> None:
        if values not in self._spreads and len(self._spreads) >= self._most:
            values = (OTHER,) * len(values)
        spread = self._spreads.get(values)
        if spread is None:
            spread = self._spreads[values] = _Spread(len(self._bounds) + 1)
        spread.counts[bisect_left(self._bounds, amount)] += 1
        spread.total += amount

    def samples(self, service: str) -> Iterator[str]:
        for values, spread in sorted(self._spreads.items()):
            labels = _shown(service, self._labels, values)
            reached = list(accumulate(spread.counts))
            for bound, count in zip((*self._bounds, "+Inf"), reached, strict=True):
                yield f'{self.name}_bucket{{{labels},le="{bound}"}} {count}'
            yield f"{self.name}_sum{{{labels}}} {spread.total:.6f}"
            yield f"{self.name}_count{{{labels}}} {reached[-1]}"


def _shown(service: str, labels: Labels, values: Labels) -> str:
    pairs = zip(("service", *labels), (service, *values), strict=True)
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
