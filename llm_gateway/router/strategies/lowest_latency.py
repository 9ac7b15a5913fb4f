"""The one whose first byte has come soonest of late, for answers of this size.

One that answers errors quickly is not quick: what it takes counts for the more, the less it is available.
One that nothing is known of is tried before those that are known, by one caller at a time. Now and then
(`explore`) another one than the quickest goes first: it may have become quicker.
"""

from collections.abc import Sequence

from llm_gateway.router.ranking import Draw, Ranking, Standing, ranked, ranking

_LEAST_AVAILABLE, _RELIABLE = 0.05, 0.5


def lowest_latency(standings: Sequence[Standing], draw: Draw, explore: float) -> Ranking:
    known = [_expected(each) for each in standings if each.latency is not None]
    middling = sum(known) / len(known) if known else 0.0
    found = ranked(standings, lambda each: _key(each, middling))
    if len(found) > 1 and draw() < explore:
        tried = found.pop(1 + int(draw() * (len(found) - 1)))
        return ranking([tried, *found], f"lowest_latency explores {_shown(tried)}")
    return ranking(found, f"lowest_latency {_shown(found[0])}")


def _key(standing: Standing, middling: float) -> float:
    if standing.latency is not None:
        return _expected(standing)
    # Somebody is finding out already, or it has only failed: it is no better than the others.
    tried = standing.in_flight or standing.availability < _RELIABLE
    return _weighed(middling, standing) if tried else 0.0


def _expected(standing: Standing) -> float:
    return _weighed(standing.latency or 0.0, standing)


def _weighed(seconds: float, standing: Standing) -> float:
    return seconds / max(standing.availability, _LEAST_AVAILABLE) ** 2


def _shown(standing: Standing) -> str:
    return "unknown" if standing.latency is None else f"{standing.latency * 1000:.0f}ms"
