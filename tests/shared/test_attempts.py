"""Targets are tried in order, faults of one do not close the others, and a closed one is probed by one
caller only.
"""

import pytest

from shared.attempts import Breaker, first_success
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


async def test_a_target_that_keeps_failing_is_left_alone_and_then_probed_once() -> None:
    clock = FakeClock()
    breaker = Breaker(clock, threshold=2, cooldown=10)
    for _ in range(2):
        assert breaker.admits("a")
        breaker.failed("a", None)
    assert not breaker.admits("a")
    clock.advance(10)
    assert breaker.admits("a")
    assert not breaker.admits("a")
    breaker.succeeded("a")
    assert breaker.admits("a")


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
