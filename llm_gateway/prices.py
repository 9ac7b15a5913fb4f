"""What tokens cost, in whole micro-dollars: never floats, never rounded in the caller's favour."""

from typing import Annotated

from msgspec import Meta, Struct

from shared.ledger.entry import Usage

_MILLION = 1_000_000
Micros = Annotated[int, Meta(ge=0, le=10_000_000_000)]


class Price(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"tokens_in": "in", "tokens_out": "out"},
):
    """Micro-dollars per million tokens (USD 0.15 is 150000). `cached` is for input that the provider had
    cached; without it, that costs like other input.
    """

    tokens_in: Micros = 0
    tokens_out: Micros = 0
    cached: Micros | None = None


def cost(price: Price, usage: Usage) -> int:
    """Rounded up: a thousand small calls must not come out as free."""
    cached = min(usage.cached, usage.tokens_in)
    cached_price = price.tokens_in if price.cached is None else price.cached
    total = (
        (usage.tokens_in - cached) * price.tokens_in
        + cached * cached_price
        + usage.tokens_out * price.tokens_out
    )
    return -(-total // _MILLION)


def ceiling(prices: list[Price]) -> Price:
    """A price that none of `prices` exceeds: what is set aside before it is known who will answer."""
    return Price(
        tokens_in=max((price.tokens_in for price in prices), default=0),
        tokens_out=max((price.tokens_out for price in prices), default=0),
    )
