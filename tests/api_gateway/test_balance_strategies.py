"""Each strategy gives the shares that it promises."""

import random
from collections import Counter

import pytest

from api_gateway.balance.hash_key import key_of
from api_gateway.balance.replica import Replica
from api_gateway.balance.settings import Balance, StrategyName
from api_gateway.balance.strategies import strategy
from api_gateway.balance.strategies.strategy import Strategy
from tests.support.exchange import exchange
from tests.support.serve import someone

EVERY: list[StrategyName] = ["round_robin", "weighted", "least_busy", "power_of_two", "consistent_hash"]


def _made(name: StrategyName, members: list[Replica], overload: float = 1.25) -> Strategy:
    made = strategy(Balance(strategy=name, overload=overload), random.Random(7))
    made.joined(members)
    return made


def _five(weight: float = 1.0) -> list[Replica]:
    return [Replica(f"http://{name}", weight=weight if name == "a" else 1.0) for name in "abcde"]


def _shares(chooser: Strategy, members: list[Replica], count: int) -> Counter[str]:
    return Counter(chooser.pick(members, f"key {n}").url[-1] for n in range(count))


def test_turns_are_even() -> None:
    members = _five(weight=7)
    assert set(_shares(_made("round_robin", members), members, 500).values()) == {100}


def test_weights_are_kept_and_mixed() -> None:
    members = _five(weight=4)
    chooser = _made("weighted", members)
    assert _shares(chooser, members, 800) == {"a": 400, "b": 100, "c": 100, "d": 100, "e": 100}
    row = "".join(chooser.pick(members, "").url[-1] for _ in range(8))
    assert "aaa" not in row + row


@pytest.mark.parametrize("name", ["least_busy", "power_of_two"])
def test_whoever_is_slow_gets_less(name: StrategyName) -> None:
    members = _five()
    members[0].in_flight = 50
    shares = _shares(_made(name, members), members, 500)
    assert shares["a"] == 0
    assert min(shares[one] for one in "bcde") > 60


def test_the_least_busy_counts_for_what_it_can_take() -> None:
    members = _five(weight=10)
    for replica in members:
        replica.in_flight = 5 if replica.weight == 10 else 1
    assert _shares(_made("least_busy", members), members, 100) == {"a": 100}


def test_a_key_stays_where_it_is_when_others_come_and_go() -> None:
    members = _five()
    chooser = _made("consistent_hash", members, overload=100)
    before = {f"key {n}": chooser.pick(members, f"key {n}") for n in range(500)}
    assert min(Counter(one.url for one in before.values()).values()) > 40
    left = members[1:]
    chooser.joined(left)
    moved = [key for key, one in before.items() if chooser.pick(left, key) is not one]
    assert all(before[key] is members[0] for key in moved)
    # One that is only unwell keeps its place on the ring.
    chooser.joined(members)
    assert all(chooser.pick(members[:4], key) is one for key, one in before.items() if one is not members[4])


def test_a_hot_key_spills_over_instead_of_burying_one_replica() -> None:
    members = _five()
    chooser = _made("consistent_hash", members)
    for _ in range(100):
        chooser.pick(members, "hot").in_flight += 1
    assert max(one.in_flight for one in members) <= 26


@pytest.mark.parametrize("name", EVERY)
def test_one_replica_gets_all_and_a_new_one_little_while_it_warms_up(name: StrategyName) -> None:
    members = _five()
    chooser = _made(name, members)
    assert chooser.pick(members[:1], "") is members[0]
    if name != "consistent_hash":
        members[0].share = 0.1
        for _ in range(300):
            chooser.pick(members, "").in_flight += 1
        assert members[0].in_flight < 30 or name in ("round_robin", "weighted")


@pytest.mark.parametrize("name", ["round_robin", "weighted"])
def test_turns_are_few_for_who_warms_up(name: StrategyName) -> None:
    members = _five()
    members[0].share = 0.1
    assert _shares(_made(name, members), members, 410)["a"] == 10


@pytest.mark.parametrize(
    ("hash_by", "key"),
    [
        ("principal", "acme user:alice"),
        ("header:X-Session", "s1"),
        ("header:x-none", ""),
        ("path:2", "cart"),
        ("path:9", ""),
    ],
)
def test_a_key_is_a_principal_a_header_or_a_part_of_the_path(hash_by: str, key: str) -> None:
    one = exchange("/shop/cart/7", headers={"x-session": "s1"})
    found = key_of(Balance(strategy="consistent_hash", hash_by=hash_by))
    assert found is not None
    assert found(one, someone("user:alice", "agent:planner")) == key


def test_no_key_is_made_where_nobody_needs_it() -> None:
    assert key_of(Balance()) is None
