"""The one that has answered the largest share of its calls of late."""

from collections.abc import Sequence

from llm_gateway.router.ranking import Draw, Ranking, Standing, ranked, ranking


def highest_availability(standings: Sequence[Standing], draw: Draw, explore: float) -> Ranking:
    # In whole percents: less than that is chance, and there the operator's order decides.
    found = ranked(standings, lambda each: -round(each.availability, 2))
    return ranking(found, f"highest_availability {found[0].availability:.2f}")
