"""Money is whole micro-dollars and is never rounded down."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.prices import MOST, Price, Tier, ceiling, cost, problems
from shared.ledger.entry import Usage

_counts = st.integers(0, 10**7)
_micros = st.integers(0, 10**9)
_maybe = st.none() | _micros
_tiers = st.lists(
    st.builds(
        Tier,
        above=st.integers(1, 10**7),
        tokens_in=_maybe,
        tokens_out=_maybe,
        cached=_maybe,
        cache_write=_maybe,
    ),
    max_size=3,
    unique_by=lambda tier: tier.above,
).map(lambda tiers: tuple(sorted(tiers, key=lambda tier: tier.above)))
_prices = st.builds(
    Price,
    tokens_in=_micros,
    tokens_out=_micros,
    cached=_maybe,
    cache_write=_maybe,
    audio_in=_maybe,
    audio_out=_maybe,
    image_in=_maybe,
    reasoning=_maybe,
    request=_micros,
    units=_micros,
    tiers=_tiers,
    factors=st.dictionaries(st.sampled_from(["batch", "flex", "priority"]), st.integers(0, 300)),
)
_usages = st.builds(Usage, **dict.fromkeys(Usage.__struct_fields__, _counts))

FULL = Price(
    tokens_in=1_000_000,
    tokens_out=10_000_000,
    cached=100_000,
    cache_write=2_000_000,
    audio_in=5_000_000,
    audio_out=20_000_000,
    image_in=3_000_000,
    reasoning=12_000_000,
)


def test_input_cached_input_and_output_have_their_own_price() -> None:
    price = Price(tokens_in=1_000_000, cached=100_000, tokens_out=4_000_000)
    assert cost(price, Usage(tokens_in=30, cached=10, tokens_out=5)) == 20 + 1 + 20


@pytest.mark.parametrize(
    ("usage", "micros"),
    [
        ({"tokens_in": 10}, 10),
        ({"tokens_in": 10, "cached": 10}, 1),
        ({"tokens_in": 10, "cache_write": 4}, 6 + 8),
        ({"tokens_in": 10, "audio_in": 3}, 7 + 15),
        ({"tokens_in": 10, "image_in": 10}, 30),
        ({"tokens_out": 10}, 100),
        ({"tokens_out": 10, "reasoning": 4}, 60 + 48),
        ({"tokens_out": 10, "audio_out": 10}, 200),
        (
            {"tokens_in": 100, "cached": 50, "cache_write": 20, "audio_in": 20, "tokens_out": 1},
            10 + 5 + 40 + 100 + 10,
        ),
    ],
)
def test_each_kind_of_token_has_its_own_price(usage: dict[str, int], micros: int) -> None:
    assert cost(FULL, Usage(**usage)) == micros


def test_what_has_no_price_of_its_own_costs_like_other_input_or_output() -> None:
    usage = Usage(
        tokens_in=40, cached=10, cache_write=10, audio_in=10, image_in=10, tokens_out=20, reasoning=5
    )
    assert cost(Price(tokens_in=1_000_000, tokens_out=2_000_000), usage) == 80


def test_more_cached_tokens_than_input_do_not_make_a_call_cheaper_than_its_input() -> None:
    price = Price(tokens_in=1_000_000, cached=100_000)
    assert cost(price, Usage(tokens_in=10, cached=99)) == 1


def test_parts_that_overlap_are_not_paid_twice() -> None:
    assert cost(FULL, Usage(tokens_in=10, cached=5, audio_in=10)) == 1 + 25


def test_a_part_of_a_micro_dollar_counts_as_a_whole_one() -> None:
    assert cost(Price(tokens_in=1), Usage(tokens_in=1)) == 1


def test_images_seconds_and_characters_are_paid_by_the_unit() -> None:
    image = Price(units=40_000_000_000, unit="image")
    assert cost(image, Usage(units=3)) == 120_000
    second = Price(units=71_666_667, unit="second")
    assert cost(second, Usage(units=60)) == 4_301


def test_a_price_for_each_request_is_paid_once() -> None:
    assert cost(Price(request=5_000, tokens_in=1_000_000), Usage(tokens_in=7)) == 5_007


def test_a_long_prompt_makes_all_of_a_call_dearer() -> None:
    tiers = (Tier(above=100, tokens_in=2_000_000, tokens_out=6_000_000), Tier(above=200, tokens_in=4_000_000))
    price = Price(tokens_in=1_000_000, tokens_out=3_000_000, cached=500_000, tiers=tiers)
    made = [cost(price, Usage(tokens_in=count, tokens_out=10)) for count in (100, 101, 201)]
    assert made == [130, 202 + 60, 804 + 30]
    assert cost(price, Usage(tokens_in=101, cached=101)) == 51


def test_a_service_class_has_its_share_of_the_price() -> None:
    price = Price(tokens_in=1_000_000, factors={"batch": 50, "priority": 170})
    usage = Usage(tokens_in=101)
    assert [cost(price, usage, service) for service in ("", "batch", "priority", "flex")] == [
        101,
        51,
        172,
        101,
    ]


def test_a_providers_mistake_does_not_make_a_bill_that_cannot_be_counted() -> None:
    assert cost(Price(units=10**14), Usage(units=2**32)) == MOST


@given(st.lists(_prices, min_size=1, max_size=4), _usages, st.sampled_from(["", "batch", "priority"]))
def test_no_target_costs_more_than_the_ceiling(prices: list[Price], usage: Usage, service: str) -> None:
    top = ceiling(prices)
    assert max(cost(price, usage, service) for price in prices) <= cost(top, usage, service)


def test_the_ceiling_of_nothing_is_nothing() -> None:
    assert cost(ceiling([]), Usage(tokens_in=9, tokens_out=9)) == 0


@given(_prices, _usages, st.sampled_from(Usage.__struct_fields__))
def test_using_more_output_or_units_never_costs_less(price: Price, usage: Usage, name: str) -> None:
    more: dict[str, Any] = {field: getattr(usage, field) for field in Usage.__struct_fields__}
    grown = Usage(**(more | {"tokens_out": usage.tokens_out + 100, "units": usage.units + 1}))
    assert cost(price, usage) <= cost(price, grown)


@pytest.mark.parametrize(
    ("price", "wrong"),
    [
        (Price(tokens_in=1, tiers=(Tier(above=5), Tier(above=9)), factors={"batch": 50}), []),
        (Price(factors={"bulk": 50}), ["factors.bulk"]),
        (Price(tiers=(Tier(above=9), Tier(above=5))), ["tiers"]),
        (Price(units=5), ["unit"]),
    ],
)
def test_a_price_that_makes_no_sense_is_named(price: Price, wrong: list[str]) -> None:
    assert [problem.partition(":")[0] for problem in problems(price)] == wrong
