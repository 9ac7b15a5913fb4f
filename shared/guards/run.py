"""The guards of one call at work, in their order: each sees what the one before has left."""

from collections.abc import Sequence
from typing import Generic, Self, TypeVar

from shared.account import Flight
from shared.errors import BadRequest, UpstreamBroken
from shared.guards.section import Place
from shared.guards.texts import Walk, texts_of, with_texts
from shared.guards.verdict import Side
from shared.guards.watching import Active, OccasionT, Watching

Whole = TypeVar("Whole")


class Run(Generic[OccasionT]):
    """The guards of one call, each with what it remembers of it."""

    def __init__(self, watching: Sequence[Watching[OccasionT]]) -> None:
        self.watching = tuple(watching)

    @classmethod
    def open(cls, active: Sequence[Active[OccasionT]], occasion: OccasionT, flight: Flight) -> Self:
        return cls([Watching(each, occasion, flight) for each in active])

    @property
    def restores(self) -> bool:
        """Whether the reply will hold what only this caller may see."""
        return any(each.watch.restores for each in self.watching)

    @property
    def untrusted(self) -> bool:
        """Whether somebody was found to try to give orders."""
        return any(each.untrusted for each in self.watching)

    def on(self, place: Place) -> Self | None:
        """Those that look there."""
        there = [each for each in self.watching if place in each.active.places]
        return type(self)(there) if there else None

    async def through(self, whole: Whole, walk: Walk[Whole], side: Side) -> Whole:
        """`whole` as it may go on; the same object where nobody has changed it. Raises ContentRefused,
        UpstreamBroken, Unavailable, and BadRequest for a request that is nested too deep.
        """
        try:
            texts = texts_of(whole, walk)
        except RecursionError as error:
            raise _too_deep(side, error) from error
        for each in self.watching:
            verdict = await each.verdict(texts, side)
            if verdict.texts:
                whole = with_texts(whole, verdict.texts, walk)
                texts = texts_of(whole, walk)
        return whole


def _too_deep(side: Side, cause: Exception) -> BadRequest | UpstreamBroken:
    if side == "request":
        return BadRequest("the body is nested too deep for the guards to look at", cause=cause)
    return UpstreamBroken("the answer is nested too deep for the guards to look at", cause=cause)
