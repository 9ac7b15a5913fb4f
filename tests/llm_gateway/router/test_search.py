"""Who is asked next, and after which failures nobody is."""

from collections.abc import Sequence
from typing import Any

import pytest

from llm_gateway.catalog import Target
from llm_gateway.router.retry import RetryBudget
from llm_gateway.router.search import Search
from llm_gateway.router.section import FallbackSection, MirrorSection, RetryBudgetSection, RetrySection
from shared.errors import UpstreamFault, UpstreamRefused, UpstreamTimeout
from tests.llm_gateway.router.targets import plan, target
from tests.support.clock import FakeClock

A, B, C = target("a"), target("b"), target("c")
LONG = target("long", group="long", context_window=1_000_000)
OTHER = target("other", group="other")


def search(
    *targets: Target, clock: FakeClock | None = None, per_second: float = 100.0, **routing: Any
) -> Search:
    clock = clock or FakeClock()
    budget = RetryBudget(RetryBudgetSection(share=0, per_second=per_second), clock)
    return Search(plan(*targets, **routing), clock.monotonic, budget, lambda: 0.0)


def error(status: int = 500, *, retryable: bool = True, body: bytes = b"") -> UpstreamRefused:
    return UpstreamRefused("no", upstream_status=status, body=body, retryable=retryable)


TOO_LONG = error(400, retryable=False, body=b'{"error":{"code":"context_length_exceeded"}}')
NOT_LIKED = error(400, retryable=False, body=b'{"error":{"code":"content_filter"}}')


def walk(search: Search, *failures: UpstreamFault) -> list[str]:
    """Who is asked, if each fails with the next of `failures`, the last of which stays."""
    asked, left = [], list(failures)
    while (found := search.next()) is not None:
        asked.append(found.provider.name)
        search.failed(found, left.pop(0) if len(left) > 1 else left[0])
    return asked


def test_an_error_leads_to_the_next_one_until_nobody_is_left() -> None:
    found = search(A, B, C)
    assert walk(found, error()) == ["a", "b", "c"]
    assert found.notes == [
        "fallback:a/m error upstream_refused 500",
        "fallback:b/m error upstream_refused 500",
    ]


def test_what_is_the_callers_own_fault_is_told_at_once() -> None:
    found = search(A, B)
    first = found.next()
    assert first is not None
    with pytest.raises(UpstreamRefused):
        found.failed(first, error(400, retryable=False))


@pytest.mark.parametrize("failure", [TOO_LONG, NOT_LIKED])
def test_other_fallbacks_than_error_and_timeout_are_off_unless_configured(failure: UpstreamFault) -> None:
    found = search(A, B, LONG)
    first = found.next()
    assert first is not None
    with pytest.raises(UpstreamRefused):
        found.failed(first, failure)


@pytest.mark.parametrize(
    ("fallbacks", "failure", "asked"),
    [
        ({"context": ("long",)}, TOO_LONG, ["a", "long"]),
        ({"context": ("larger",)}, TOO_LONG, ["a", "long"]),
        ({"content": ("other",)}, NOT_LIKED, ["a", "other"]),
        ({"content": ("other", "next")}, NOT_LIKED, ["a", "other", "b"]),
        ({"error": ("next", "other")}, error(), ["a", "b", "other"]),
        ({"error": ()}, error(), ["a"]),
        ({"timeout": ("other",)}, UpstreamTimeout("late"), ["a", "other"]),
        ({"timeout": ()}, UpstreamTimeout("late"), ["a"]),
        ({"error": ("next", "main", "other", "other")}, error(), ["a", "b", "other"]),
    ],
)
def test_each_way_to_fail_leads_where_the_operator_says(
    fallbacks: dict[str, Sequence[str]], failure: UpstreamFault, asked: list[str]
) -> None:
    found = search(A, B, LONG, OTHER, fallbacks=FallbackSection(**fallbacks))  # type: ignore[arg-type]
    assert walk(found, failure) == asked


def test_ways_to_fail_may_follow_each_other() -> None:
    fallbacks = FallbackSection(context=("long",), content=("other",))
    found = search(A, B, LONG, OTHER, fallbacks=fallbacks)
    assert walk(found, error(), TOO_LONG, NOT_LIKED) == ["a", "b", "long", "other"]


def test_larger_means_larger_than_the_one_that_refused_the_smallest_first() -> None:
    small, middle, large = (
        target(name, context_window=size) for name, size in (("s", 8_000), ("m", 32_000), ("l", 128_000))
    )
    found = search(middle, large, small, fallbacks=FallbackSection(context=("larger",)))
    assert walk(found, TOO_LONG) == ["m", "l"]
    found = search(small, large, middle, fallbacks=FallbackSection(context=("larger",)))
    assert walk(found, TOO_LONG) == ["s", "m", "l"]


def test_larger_never_means_the_one_that_is_only_sent_copies() -> None:
    small, copy = target("s", context_window=8), target("c", context_window=99, group="copy")
    larger = FallbackSection(context=("larger",))
    assert walk(search(small, copy, fallbacks=larger, mirror=MirrorSection(to="copy")), TOO_LONG) == ["s"]
    assert walk(search(small, copy, fallbacks=larger), TOO_LONG) == ["s", "c"]


def test_the_same_target_is_tried_again_where_that_is_configured() -> None:
    found = search(A, B, retries=RetrySection(per_target=2, backoff_seconds=0))
    assert walk(found, error()) == ["a", "a", "a", "b", "b", "b"]


def test_attempts_are_counted_over_all_targets() -> None:
    found = search(A, B, C, retries=RetrySection(per_target=2, backoff_seconds=0, attempts=4))
    assert walk(found, error()) == ["a", "a", "a", "b"]


def test_without_budget_nothing_is_tried_again_but_the_next_one_is_asked() -> None:
    found = search(A, B, per_second=0, retries=RetrySection(per_target=5, backoff_seconds=0))
    assert walk(found, error()) == ["a", "b"]


def test_after_the_deadline_nobody_is_asked() -> None:
    clock = FakeClock()
    found = search(A, B, clock=clock, retries=RetrySection(deadline_seconds=10))
    first = found.next()
    assert first is not None
    clock.advance(10)
    found.failed(first, error())
    assert found.next() is None


def test_a_pause_that_would_end_after_the_deadline_is_not_begun() -> None:
    clock = FakeClock()
    retries = RetrySection(per_target=1, backoff_seconds=2, longest_wait_seconds=5, deadline_seconds=10)
    found = search(A, B, clock=clock, retries=retries)
    first = found.next()
    assert first is not None
    clock.advance(9.5)
    assert found.failed(first, error()) == 0.0
    assert found.next() is B


def test_the_way_is_told_in_a_bounded_number_of_lines() -> None:
    many = [target(f"t{n}") for n in range(30)]
    found = search(*many, retries=RetrySection(attempts=30))
    walk(found, error())
    assert len(found.notes) == 8
