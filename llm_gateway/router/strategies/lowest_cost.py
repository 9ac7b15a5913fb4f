"""The cheapest for this call: by its input and the longest answer that it allows, at each target's price.
What has no price that anybody knows comes last.
"""

import math
from collections.abc import Sequence

from llm_gateway.router.ranking import Draw, Ranking, Standing, ranked, ranking


def lowest_cost(standings: Sequence[Standing], draw: Draw, explore: float) -> Ranking:
    found = ranked(standings, lambda each: math.inf if each.micros is None else each.micros)
    least = found[0].micros
    return ranking(found, f"lowest_cost {'unknown' if least is None else least}")
