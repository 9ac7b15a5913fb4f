"""The one with the fewest calls under way, for its weight."""

import math
from collections.abc import Sequence

from llm_gateway.router.ranking import Draw, Ranking, Standing, ranked, ranking


def least_busy(standings: Sequence[Standing], draw: Draw, explore: float) -> Ranking:
    found = ranked(standings, _load)
    return ranking(found, f"least_busy {found[0].in_flight}")


def _load(standing: Standing) -> float:
    # The call itself counts: of two idle ones the stronger goes first.
    weight = standing.target.weight
    return (standing.in_flight + 1) / weight if weight else math.inf
