"""Money is whole micro-dollars and is never rounded down."""

from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.prices import Price, ceiling, cost
from shared.ledger.entry import Usage

_counts = st.integers(0, 10**7)
_micros = st.integers(0, 10**9)


def test_input_cached_input_and_output_have_their_own_price() -> None:
    price = Price(tokens_in=1_000_000, cached=100_000, tokens_out=4_000_000)
    assert cost(price, Usage(tokens_in=30, cached=10, tokens_out=5)) == 20 + 1 + 20


def test_cached_input_without_a_price_costs_like_other_input() -> None:
    assert cost(Price(tokens_in=1_000_000), Usage(tokens_in=30, cached=10)) == 30


def test_more_cached_tokens_than_input_do_not_make_a_call_cheaper_than_its_input() -> None:
    price = Price(tokens_in=1_000_000, cached=100_000)
    assert cost(price, Usage(tokens_in=10, cached=99)) == 1


def test_a_part_of_a_micro_dollar_counts_as_a_whole_one() -> None:
    assert cost(Price(tokens_in=1), Usage(tokens_in=1)) == 1


@given(st.lists(st.tuples(_micros, _micros, st.none() | _micros), min_size=1, max_size=4), _counts, _counts)
def test_no_target_costs_more_than_the_ceiling(
    prices: list[tuple[int, int, int | None]], tokens_in: int, tokens_out: int
) -> None:
    known = [Price(tokens_in=i, tokens_out=o, cached=c and min(c, i)) for i, o, c in prices]
    usage = Usage(tokens_in=tokens_in, tokens_out=tokens_out, cached=tokens_in // 2)
    assert max(cost(price, usage) for price in known) <= cost(ceiling(known), usage)
