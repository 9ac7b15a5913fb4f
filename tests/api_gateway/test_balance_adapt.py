"""How many a service can do at once is found out by how long its answers take: played in time of its own."""

import heapq
import random

import pytest

from api_gateway.balance.adapt import Adapting

MOST = 1000


class Played:
    """A service of so many `places`, each busy for about `seconds` with one request, behind an `Adapting`.
    Requests come at random, as many a second as `come` says, and those who are not let in go away.
    """

    def __init__(self, places: int, seconds: float) -> None:
        self.places = places
        self.seconds = seconds
        self.adapting = Adapting(MOST)
        self.answered = 0
        self._random = random.Random(7)
        self._now = 0.0
        self._inside: list[float] = []
        self._busy: list[float] = []

    def play(self, come: float, until: float) -> float:
        """Answers a second until then."""
        began, before = self._now, self.answered
        coming = self._now
        while coming < until:
            coming += self._random.expovariate(come)
            while self._busy and self._busy[0] <= coming:
                self._answer(heapq.heappop(self._busy))
            self._now = coming
            if len(self._inside) < self.adapting.limit:
                self._inside.append(coming)
                self._work(coming)
        return (self.answered - before) / (self._now - began)

    def _work(self, now: float) -> None:
        if len(self._busy) < self.places:
            heapq.heappush(self._busy, now + self.seconds * self._random.lognormvariate(0, 0.3))

    def _answer(self, now: float) -> None:
        """To who has been inside for longest; the next of those begins."""
        self._now = now
        taken = len(self._inside) >= self.adapting.limit
        came = self._inside.pop(0)
        self.answered += 1
        self.adapting.took(now - came, now=now, taken=taken)
        if len(self._inside) > len(self._busy):
            self._work(now)


@pytest.mark.parametrize(("places", "seconds"), [(4, 0.2), (16, 0.2), (64, 0.05), (4, 0.02)])
@pytest.mark.parametrize("flood", [1.5, 3, 10])
def test_under_a_flood_it_lets_in_what_the_service_can_do_and_not_much_more(
    places: int, seconds: float, flood: float
) -> None:
    played = Played(places, seconds)
    capacity = places / (seconds * 1.046)  # what lognormal times are on average
    played.play(flood * capacity, 40)
    assert played.play(flood * capacity, 170) >= 0.9 * capacity
    assert places <= played.adapting.limit <= 2.5 * places


def test_a_calm_service_refuses_nobody() -> None:
    played = Played(16, 0.2)
    played.play(30, 20)
    assert played.play(30, 200) >= 0.97 * 30


def test_a_service_that_changes_is_measured_anew() -> None:
    played = Played(16, 0.2)
    played.play(400, 60)
    played.places = 4
    played.play(400, 180)
    assert 4 <= played.adapting.limit <= 12
    played.places, played.seconds = 32, 0.4
    played.play(400, 300)
    assert 32 <= played.adapting.limit <= 80


def test_it_is_never_more_than_the_operator_allows_nor_less_than_one() -> None:
    adapting = Adapting(2)
    for second in range(200):
        for _ in range(10):
            adapting.took(0.1 if second < 100 else 10.0, now=float(second), taken=True)
        assert 1 <= adapting.limit <= 2
