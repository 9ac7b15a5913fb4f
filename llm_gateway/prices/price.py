"""What a call costs, in whole micro-dollars: never floats, never rounded in the caller's favour."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, NamedTuple, TypeVar

from msgspec import Meta, Struct

from shared.ledger.entry import Usage

_MILLION = 1_000_000
_PERCENT = 100
# Redis counts in doubles, which are exact up to here; no bill is longer.
MOST = 2**53 - 1
Micros = Annotated[int, Meta(ge=0, le=10_000_000_000)]
UnitMicros = Annotated[int, Meta(ge=0, le=100_000_000_000_000)]
Percent = Annotated[int, Meta(ge=0, le=10_000)]
SERVICES = frozenset(("batch", "flex", "priority"))
_Other = TypeVar("_Other", int, int | None)
Unit = Literal["", "image", "second", "character", "search", "page"]


class Tier(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename={"tokens_in": "in", "tokens_out": "out"},
):
    """What all of a call costs whose input is longer than `above` tokens. The rest stays as it was."""

    above: Annotated[int, Meta(ge=1)]
    tokens_in: Micros | None = None
    tokens_out: Micros | None = None
    cached: Micros | None = None
    cache_write: Micros | None = None


class Price(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename={"tokens_in": "in", "tokens_out": "out"},
):
    """Micro-dollars per million tokens (USD 0.15 is 150000). What is not given costs like other input
    (`cached`, `cache_write`, `audio_in`, `image_in`) or other output (`reasoning`, `audio_out`).

    `units` is per million of what is counted in no tokens (`unit` says what that is): USD 0.04 an image is
    40000000000. `request` is for each call. `factors` are percent of all that for a service class that the
    caller chose.
    """

    tokens_in: Micros = 0
    tokens_out: Micros = 0
    cached: Micros | None = None
    cache_write: Micros | None = None
    audio_in: Micros | None = None
    audio_out: Micros | None = None
    image_in: Micros | None = None
    reasoning: Micros | None = None
    request: Micros = 0
    units: UnitMicros = 0
    unit: Unit = ""
    tiers: tuple[Tier, ...] = ()
    factors: dict[str, Percent] = {}


class _Rates(NamedTuple):
    """A price at one length of input, with nothing left open."""

    tokens_in: int
    tokens_out: int
    cached: int
    cache_write: int
    audio_in: int
    audio_out: int
    image_in: int
    reasoning: int


# Of a target that nobody has given a price: it counts nothing and its calls say so. Compared by identity, for
# an operator may well say that something costs nothing.
UNKNOWN = Price()


def cost(price: Price, usage: Usage, service: str = "") -> int:
    """Rounded up: a thousand small calls must not come out as free. `service` is the class that the caller
    asked for, if any.
    """
    total = _tokens(price, usage) + usage.units * price.units + price.request * _MILLION
    percent = price.factors.get(service, _PERCENT) if price.factors else _PERCENT
    return min(-(-total * percent // (_MILLION * _PERCENT)), MOST)


def _tokens(price: Price, usage: Usage) -> int:
    """In millionths of a micro-dollar."""
    if not price.tiers and _is_plain(usage):
        # Nearly every call, and this is asked several times of each.
        return usage.tokens_in * price.tokens_in + usage.tokens_out * price.tokens_out
    rates = _rates(price, usage.tokens_in)
    given = _paid(
        usage.tokens_in,
        rates.tokens_in,
        (usage.cached, rates.cached),
        (usage.cache_write, rates.cache_write),
        (usage.audio_in, rates.audio_in),
        (usage.image_in, rates.image_in),
    )
    made = _paid(
        usage.tokens_out,
        rates.tokens_out,
        (usage.reasoning, rates.reasoning),
        (usage.audio_out, rates.audio_out),
    )
    return given + made


def _is_plain(usage: Usage) -> bool:
    return not (
        usage.cached
        or usage.cache_write
        or usage.audio_in
        or usage.image_in
        or usage.reasoning
        or usage.audio_out
    )


def _paid(tokens: int, rate: int, *parts: tuple[int, int]) -> int:
    """`tokens` at `rate`, except for those in `parts`, which have their own. No token is paid twice, whatever
    the parts add up to.
    """
    total = 0
    for count, own in parts:
        if count:
            part = min(count, tokens)
            tokens -= part
            total += part * own
    return total + tokens * rate


def problems(price: Price) -> Iterator[str]:
    """What the types alone cannot see, as `path: problem`."""
    for service in price.factors:
        if service not in SERVICES:
            yield f"factors.{service}: is no service class (known: {', '.join(sorted(SERVICES))})"
    steps = [tier.above for tier in price.tiers]
    if steps != sorted(set(steps)):
        yield "tiers: must begin with the shortest input, each of them once"
    if price.units and not price.unit:
        yield "unit: must be said where `units` has a price"


def ceiling(prices: Sequence[Price]) -> Price:
    """A price that none of `prices` exceeds, whatever is used: what is set aside before it is known who will
    answer, and how much of the input has to be written to a cache.
    """
    steps = sorted({0} | {tier.above for price in prices for tier in price.tiers})
    tops = [_top([_rates(price, step + 1) for price in prices]) for step in steps]
    services = {service for price in prices for service in price.factors}
    return Price(
        tokens_in=tops[0].tokens_in,
        tokens_out=tops[0].tokens_out,
        audio_in=_most([top.audio_in for top in tops], prices, "audio_in"),
        audio_out=_most([top.audio_out for top in tops], prices, "audio_out"),
        image_in=_most([top.image_in for top in tops], prices, "image_in"),
        request=max((price.request for price in prices), default=0),
        units=max((price.units for price in prices), default=0),
        tiers=tuple(
            Tier(above=step, tokens_in=top.tokens_in, tokens_out=top.tokens_out)
            for step, top in zip(steps[1:], tops[1:], strict=True)
        ),
        factors={
            service: max(price.factors.get(service, _PERCENT) for price in prices)
            for service in sorted(services)
        },
    )


def _top(rates: list[_Rates]) -> _Rates:
    """The highest of each; all ways to count text in are one, and so are all ways to count it out."""
    if not rates:
        return _Rates(0, 0, 0, 0, 0, 0, 0, 0)
    top = _Rates(*map(max, zip(*rates, strict=True)))
    return top._replace(
        tokens_in=max(top.tokens_in, top.cached, top.cache_write),
        tokens_out=max(top.tokens_out, top.reasoning),
    )


def _most(values: list[int], prices: Sequence[Price], name: str) -> int | None:
    """None where nobody has such a price: then it costs what text costs, at every length."""
    return max(values) if any(getattr(price, name) is not None for price in prices) else None


def _rates(price: Price, tokens_in: int) -> _Rates:
    each_in, each_out, cached, write = price.tokens_in, price.tokens_out, price.cached, price.cache_write
    for tier in price.tiers:
        if tokens_in > tier.above:
            each_in = _or(tier.tokens_in, price.tokens_in)
            each_out = _or(tier.tokens_out, price.tokens_out)
            cached = _or(tier.cached, price.cached)
            write = _or(tier.cache_write, price.cache_write)
    return _Rates(
        tokens_in=each_in,
        tokens_out=each_out,
        cached=_or(cached, each_in),
        cache_write=_or(write, each_in),
        audio_in=_or(price.audio_in, each_in),
        audio_out=_or(price.audio_out, each_out),
        image_in=_or(price.image_in, each_in),
        reasoning=_or(price.reasoning, each_out),
    )


def _or(value: int | None, other: _Other) -> _Other:
    return other if value is None else value
