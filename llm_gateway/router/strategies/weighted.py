"""By chance: a target of weight 3 is the first one three times as often as one of weight 1, and so on down
the line. One of weight 0 comes last.
"""

import math
from collections.abc import Sequence

from llm_gateway.router.ranking import Draw, Ranking, Standing, ranked, ranking


def weighted(standings: Sequence[Standing], draw: Draw, explore: float) -> Ranking:
    # Each waits a random time whose rate is its weight: who comes first is the first.
    waits = {each.target.name: _wait(each.target.weight, draw()) for each in standings}
    found = ranked(standings, lambda each: waits[each.target.name])
    total = sum(each.target.weight for each in standings)
    return ranking(found, f"weighted {found[0].target.weight:g}/{total:g}")


def _wait(weight: float, drawn: float) -> float:
    return -math.log1p(-drawn) / weight if weight else math.inf
