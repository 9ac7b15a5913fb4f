"""Targets are tried in order, faults of one do not close the others, and a closed one is probed by one
caller only.
"""

import pytest

from shared.attempts import Breaker, BreakerRule, Circuit, first_success
from shared.errors import Unavailable, UpstreamRefused, UpstreamUnreachable
from tests.support.clock import FakeClock


async def test_the_first_target_that_answers_wins_and_later_ones_are_left_alone() -> None:
    tried: list[str] = []

    async def attempt(target: str) -> str:
        tried.append(target)
        if target == "a":
            raise UpstreamUnreachable("down")
        return target

    answer = await first_success(["a", "b", "c"], attempt, breaker=Breaker(FakeClock()), name=str)
    assert (answer, tried) == ("b", ["a", "b"])


async def test_a_fault_that_is_not_worth_another_try_ends_the_search() -> None:
    async def attempt(target: str) -> str:
        raise UpstreamRefused("no", upstream_status=400, retryable=False)

    with pytest.raises(UpstreamRefused):
        await first_success(["a", "b"], attempt, breaker=Breaker(FakeClock()), name=str)


async def test_when_all_fail_the_last_fault_is_raised() -> None:
    async def attempt(target: str) -> str:
        raise UpstreamUnreachable(target)

    with pytest.raises(UpstreamUnreachable, match="b"):
        await first_success(["a", "b"], attempt, breaker=Breaker(FakeClock()), name=str)


def test_a_target_that_keeps_failing_is_left_alone_and_then_probed_once() -> None:
    clock = FakeClock()
    circuit = Circuit(clock, BreakerRule(consecutive=2, cooldown_seconds=10))
    for _ in range(2):
        assert circuit.admits()
        circuit.failed()
    assert (circuit.admits(), circuit.state) == (False, "open")
    clock.advance(10)
    assert circuit.admits()
    assert (circuit.admits(), circuit.state) == (False, "half_open")
    circuit.succeeded()
    assert (circuit.admits(), circuit.state) == (True, "closed")


def test_each_probe_that_fails_doubles_the_pause_up_to_the_longest() -> None:
    clock = FakeClock()
    circuit = Circuit(clock, BreakerRule(consecutive=1, cooldown_seconds=10, longest_cooldown_seconds=25))
    circuit.failed()
    for pause in (20, 25, 25):
        clock.advance(circuit.opens_in())
        assert circuit.admits()
        circuit.failed()
        assert circuit.opens_in() == pause
    clock.advance(25)
    assert circuit.admits()
    circuit.succeeded()
    circuit.failed()
    assert circuit.opens_in() == 10


def test_a_probe_whose_caller_leaves_is_followed_by_another_at_once() -> None:
    clock = FakeClock()
    circuit = Circuit(clock, BreakerRule(consecutive=1))
    circuit.failed()
    clock.advance(10)
    assert circuit.admits()
    circuit.abandoned()
    assert circuit.admits()


def test_a_success_of_a_call_from_before_does_not_close_an_open_circuit() -> None:
    clock = FakeClock()
    circuit = Circuit(clock, BreakerRule(consecutive=1))
    circuit.failed()
    circuit.succeeded()
    assert circuit.state == "open"


def test_a_target_that_fails_half_of_its_calls_is_left_alone_though_never_twice_in_a_row() -> None:
    clock = FakeClock()
    circuit = Circuit(clock, BreakerRule(consecutive=5, failure_rate=0.5, minimum_calls=10))
    for _ in range(4):
        circuit.succeeded()
        circuit.failed()
    assert circuit.admits()
    circuit.succeeded()
    circuit.failed()
    assert circuit.state == "open"


def test_failures_of_long_ago_do_not_count() -> None:
    clock = FakeClock()
    circuit = Circuit(
        clock, BreakerRule(consecutive=50, failure_rate=0.5, minimum_calls=10, window_seconds=30)
    )
    for _ in range(9):
        circuit.failed()
    clock.advance(31)
    circuit.failed()
    assert circuit.state == "closed"


def test_a_pause_that_was_asked_for_ends_for_everybody() -> None:
    clock = FakeClock()
    circuit = Circuit(clock, BreakerRule())
    circuit.failed(7)
    assert (circuit.admits(), circuit.state, circuit.opens_in()) == (False, "paused", 7)
    clock.advance(7)
    assert [circuit.admits() for _ in range(3)] == [True] * 3


def test_nobody_is_left_alone_for_longer_than_five_minutes_because_it_says_so() -> None:
    circuit = Circuit(FakeClock(), BreakerRule())
    circuit.failed(86_400)
    assert circuit.opens_in() == 300


async def test_a_target_that_refuses_a_request_is_well() -> None:
    breaker = Breaker(FakeClock(), BreakerRule(consecutive=1))

    async def attempt(target: str) -> str:
        raise UpstreamRefused("no", upstream_status=400, retryable=False)

    for _ in range(3):
        with pytest.raises(UpstreamRefused):
            await first_success(["a"], attempt, breaker=breaker, name=str)
    assert breaker.of("a").state == "closed"


async def test_a_target_that_says_when_to_come_back_is_believed() -> None:
    clock = FakeClock()
    breaker = Breaker(clock)

    async def attempt(target: str) -> str:
        raise UpstreamRefused("busy", upstream_status=429, retryable=True, retry_after=7)

    with pytest.raises(UpstreamRefused):
        await first_success(["a"], attempt, breaker=breaker, name=str)
    with pytest.raises(Unavailable) as caught:
        await first_success(["a"], attempt, breaker=breaker, name=str)
    assert caught.value.retry_after == 7
