"""Each strategy, as a function of what stands there."""

import random
from collections import Counter

import pytest

from llm_gateway.router.ranking import Ranking, Standing
from llm_gateway.router.strategies import STRATEGIES
from tests.llm_gateway.router.targets import names, target

A, B, C = target("a"), target("b"), target("c")


def rank(name: str, *standings: Standing, drawn: float = 0.99, explore: float = 0.0) -> Ranking:
    return STRATEGIES[name](standings, lambda: drawn, explore)  # type: ignore[index]


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_keeps_all_targets_and_the_order_of_those_that_are_alike(name: str) -> None:
    found = rank(name, Standing(A), Standing(B), Standing(C))
    assert names(found.targets) == ["a", "b", "c"]


def test_weights_are_shares_of_the_first_place() -> None:
    dice = random.Random(7)
    heavy, light, none = target("heavy", weight=3), target("light", weight=1), target("none", weight=0)
    standings = [Standing(none), Standing(light), Standing(heavy)]
    found = [names(STRATEGIES["weighted"](standings, dice.random, 0).targets) for _ in range(4_000)]
    first = Counter(order[0] for order in found)
    assert first["heavy"] / 4_000 == pytest.approx(0.75, abs=0.03)
    assert {order[2] for order in found} == {"none"}


def test_the_cheapest_comes_first_and_says_what_it_costs() -> None:
    found = rank("lowest_cost", Standing(A, micros=9), Standing(B, micros=3), Standing(C, micros=5))
    assert (names(found.targets), found.why) == (["b", "c", "a"], "lowest_cost 3")


def test_what_has_no_known_price_is_not_cheap() -> None:
    found = rank("lowest_cost", Standing(A, micros=None), Standing(B, micros=7))
    assert names(found.targets) == ["b", "a"]
    assert rank("lowest_cost", Standing(A, micros=None)).why == "lowest_cost unknown"


def test_the_least_busy_is_so_for_its_weight() -> None:
    strong = target("strong", weight=4)
    found = rank(
        "least_busy", Standing(A, in_flight=1), Standing(strong, in_flight=3), Standing(B, in_flight=2)
    )
    assert names(found.targets) == ["strong", "a", "b"]


def test_availability_is_compared_in_whole_percents() -> None:
    found = rank("highest_availability", Standing(A, availability=0.991), Standing(B, availability=0.994))
    assert names(found.targets) == ["a", "b"]
    found = rank("highest_availability", Standing(A, availability=0.5), Standing(B, availability=0.9))
    assert names(found.targets) == ["b", "a"]


def test_the_quickest_comes_first() -> None:
    found = rank("lowest_latency", Standing(A, latency=0.9), Standing(B, latency=0.2))
    assert (names(found.targets), found.why) == (["b", "a"], "lowest_latency 200ms")


def test_one_that_fails_quickly_is_not_quick() -> None:
    found = rank("lowest_latency", Standing(A, latency=0.5), Standing(B, latency=0.1, availability=0.2))
    assert names(found.targets) == ["a", "b"]


def test_one_that_is_unknown_is_found_out_about_by_one_caller() -> None:
    known = Standing(A, latency=0.5)
    assert names(rank("lowest_latency", known, Standing(B)).targets) == ["b", "a"]
    assert names(rank("lowest_latency", known, Standing(B, in_flight=1)).targets) == ["a", "b"]


def test_one_that_has_only_failed_is_not_unknown() -> None:
    known, failing = Standing(A, latency=0.5), Standing(B, availability=0.0)
    assert names(rank("lowest_latency", known, failing).targets) == ["a", "b"]


def test_now_and_then_another_one_goes_first() -> None:
    standings = (Standing(A, latency=0.1), Standing(B, latency=0.2))
    found = rank("lowest_latency", *standings, drawn=0.01, explore=0.05)
    assert (names(found.targets), found.why) == (["b", "a"], "lowest_latency explores 200ms")
