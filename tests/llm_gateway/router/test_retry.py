"""Retries are paid for by calls, and nobody waits longer than it is worth."""

import pytest

from llm_gateway.router.retry import RetryBudget, kind_of, pause
from llm_gateway.router.section import RetryBudgetSection, RetrySection
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable
from tests.support.clock import FakeClock

SECTION = RetrySection(per_target=3, backoff_seconds=0.2, longest_wait_seconds=2)


def refused(status: int, retry_after: float | None = None) -> UpstreamRefused:
    return UpstreamRefused("no", upstream_status=status, retryable=True, retry_after=retry_after)


def test_without_calls_there_are_only_the_few_that_time_gives() -> None:
    clock = FakeClock()
    budget = RetryBudget(RetryBudgetSection(share=0.2, per_second=0.1), clock)
    assert [budget.take() for _ in range(2)] == [True, False]
    clock.advance(10)
    assert [budget.take() for _ in range(2)] == [True, False]


def test_of_a_hundred_calls_that_all_fail_twenty_are_tried_again() -> None:
    budget = RetryBudget(RetryBudgetSection(share=0.2, per_second=0), FakeClock())
    taken = 0
    for _ in range(100):
        budget.called()
        taken += budget.take()
    assert 19 <= taken <= 20


def test_pauses_double_and_are_never_quite_the_same() -> None:
    assert [pause(refused(500), tries, SECTION, lambda: 0.0) for tries in (1, 2, 3)] == [0.1, 0.2, 0.4]
    assert pause(refused(500), 1, SECTION, lambda: 0.999) == pytest.approx(0.2, abs=0.001)


def test_after_so_many_tries_it_is_enough() -> None:
    assert pause(refused(500), 4, SECTION, lambda: 0.0) is None
    assert pause(refused(500), 1, RetrySection(), lambda: 0.0) is None


def test_a_target_is_not_asked_sooner_than_it_wants_and_not_waited_for_at_any_price() -> None:
    waits = pause(refused(429, 1.5), 1, SECTION, lambda: 0.0)
    assert waits is not None
    assert 1.5 <= waits < 1.6
    assert pause(refused(429, 2.5), 1, SECTION, lambda: 0.0) is None


def test_only_what_is_listed_is_tried_again() -> None:
    only = RetrySection(per_target=1, after=("connection",))
    assert pause(UpstreamUnreachable("gone"), 1, only, lambda: 0.0) is not None
    assert pause(refused(429), 1, only, lambda: 0.0) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UpstreamTimeout("late"), "timeout"),
        (UpstreamUnreachable("gone"), "connection"),
        (refused(429), "rate_limit"),
        (refused(503), "server_error"),
        (UpstreamBroken("cut"), "server_error"),
        (UpstreamRefused("bad", upstream_status=400, retryable=False), None),
    ],
)
def test_failures_have_the_names_of_the_configuration(error: UpstreamFault, kind: str | None) -> None:
    assert kind_of(error) == kind
