"""What strategies are handed and what they answer. A strategy is a pure function of what stands there and of
the draws it is given.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from llm_gateway.catalog import Target

# Numbers from 0 up to 1.
Draw = Callable[[], float]


class Standing(Struct, frozen=True):
    """How one target stands for this call. `micros` is what the call is estimated to cost there, `latency`
    the seconds to its first byte, each None where nobody knows.
    """

    target: Target
    micros: int | None = 0
    in_flight: int = 0
    latency: float | None = None
    availability: float = 1.0


class Ranking(NamedTuple):
    """`why` is for an operator: one short line that holds nothing of the call's content."""

    targets: tuple[Target, ...]
    why: str


class Strategy(Protocol):
    def __call__(self, standings: Sequence[Standing], draw: Draw, explore: float) -> Ranking:
        """`explore` is the share of calls meant for finding out."""
        ...


def ranked(standings: Sequence[Standing], key: Callable[[Standing], float]) -> list[Standing]:
    """Smallest `key` first, ties in the operator's order."""
    return sorted(standings, key=key)


def ranking(standings: Sequence[Standing], why: str) -> Ranking:
    return Ranking(tuple(each.target for each in standings), why)
