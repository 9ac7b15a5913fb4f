"""The price list that litellm publishes, line by line in our own form. For `build.py`."""

import re
from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal
from typing import Any

from llm_gateway.prices.names import table_provider
from llm_gateway.prices.price import Price, Tier, Unit
from llm_gateway.prices.table import Line

_MILLION = 1_000_000
_RATES = {
    "tokens_in": "input_cost_per_token",
    "tokens_out": "output_cost_per_token",
    "cached": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
}
_MORE_RATES = {
    "audio_in": "input_cost_per_audio_token",
    "audio_out": "output_cost_per_audio_token",
    "image_in": "input_cost_per_image_token",
    "reasoning": "output_cost_per_reasoning_token",
}
# The first that is not 0 counts: lists give a price for both ends of what is the same second.
_UNITS: tuple[tuple[str, Unit], ...] = (
    ("output_cost_per_image", "image"),
    ("input_cost_per_image", "image"),
    ("input_cost_per_second", "second"),
    ("output_cost_per_second", "second"),
    ("output_cost_per_video_per_second", "second"),
    ("input_cost_per_character", "character"),
    ("input_cost_per_query", "search"),
    ("ocr_cost_per_page", "page"),
)
_NO_UNIT: Unit = ""
_SERVICES = {"batch": "_batches", "flex": "_flex", "priority": "_priority"}
_ABOVE = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")
# Billed by tokens even where a list also says what an image in a prompt costs.
_TOKEN_MODES = frozenset(("chat", "responses", "completion", "embedding", "realtime"))
_KINDS = {"image_generation": "image", "image_edit": "image", "audio_transcription": "transcription"}
# Sizes and qualities that are a price of their own, not a model that anybody could call.
_NO_MODEL = re.compile(r"(^|/)(\d+-x-\d+|max-x-max|low|medium|high|standard|hd|auto)/")
_PREFIXED = re.compile(r"^(azure|bedrock|fireworks_ai|vertex_ai|together_ai)/")


def lines(published: dict[str, dict[str, Any]]) -> Iterator[tuple[str, Line]]:
    for name, given in published.items():
        provider, mode = given.get("litellm_provider"), given.get("mode")
        if not provider or " " in provider or _NO_MODEL.search(name) or mode in (None, "search", "guardrail"):
            continue
        ours = table_provider(provider)
        yield f"{ours}/{_bare(name, provider, ours)}".lower(), _line(given, mode)


def _bare(name: str, *providers: str) -> str:
    for provider in providers:
        name = name.removeprefix(f"{provider}/")
    return _PREFIXED.sub("", name)


def _line(given: dict[str, Any], mode: str) -> Line:
    return Line(
        price=_price(given, mode),
        context=_count(given, "max_input_tokens") or _count(given, "max_tokens"),
        max_out=_count(given, "max_output_tokens"),
        kind=_KINDS.get(mode, mode.removeprefix("audio_")),
    )


def _price(given: dict[str, Any], mode: str) -> Price | None:
    """None where nothing is known. That is also what nothing but zeros in a list means."""
    rates = _rates_of(given)
    more = {ours: micros for ours, theirs in _MORE_RATES.items() if (micros := _micros(given.get(theirs)))}
    # A model that is billed by tokens is not billed once more by what they are tokens of.
    by_tokens = mode in _TOKEN_MODES or bool(rates.get("tokens_out"))
    units, unit = (0, _NO_UNIT) if by_tokens else _units(given)
    request = _whole(given.get("input_cost_per_request"))
    if not (any(rates.values()) or more or units or request):
        return None
    tiers, factors = tuple(_tiers(given)), _factors(given, rates)
    return Price(**rates, **more, request=request, units=units, unit=unit, tiers=tiers, factors=factors)


def _rates_of(given: dict[str, Any]) -> dict[str, int]:
    # Where there are steps and no price before them, the first step is the price.
    first: dict[str, Any] = (
        next(iter(given.get("tiered_pricing") or ()), {}) if "input_cost_per_token" not in given else {}
    )
    found = {ours: _micros({**first, **given}.get(theirs)) for ours, theirs in _RATES.items()}
    rates = {ours: micros for ours, micros in found.items() if micros is not None}
    made = _micros(given.get("output_cost_per_image_token"))
    if made and not rates.get("tokens_out"):
        # All that such a model says is images.
        rates["tokens_out"] = made
    for name in ("cached", "cache_write"):
        # Some lists say 0 where nothing is charged on top.
        if rates.get(name) == 0 and rates.get("tokens_in"):
            del rates[name]
    return rates


def _units(given: dict[str, Any]) -> tuple[int, Unit]:
    for name, unit in _UNITS:
        micros = _micros(given.get(name))
        if micros:
            return micros, unit
    return 0, _NO_UNIT


def _tiers(given: dict[str, Any]) -> Iterator[Tier]:
    steps = sorted(int(found[1]) for name in given if (found := _ABOVE.fullmatch(name)))
    for step in steps:
        suffix = f"_above_{step}k_tokens"
        yield Tier(above=step * 1000, **{o: _micros(given.get(t + suffix)) for o, t in _RATES.items()})
    for part in given.get("tiered_pricing") or ():
        start, _ = part.get("range") or (0, 0)
        if start and not steps:
            yield Tier(above=int(start), **{o: _micros(part.get(t)) for o, t in _RATES.items()})


def _factors(given: dict[str, Any], rates: dict[str, int]) -> dict[str, int]:
    """Only where input and output change alike: then one number says it."""
    found: dict[str, int] = {}
    for service, suffix in _SERVICES.items():
        percents = {
            -(-100 * micros // rates[ours])
            for ours in ("tokens_in", "tokens_out")
            if rates.get(ours) and (micros := _micros(given.get(_RATES[ours] + suffix))) is not None
        }
        if len(percents) == 1 and percents != {100}:
            found[service] = percents.pop()
    return found


def _micros(dollars: object) -> int | None:
    """Micro-dollars for a million. Through text: the shortest decimal is the price that was meant."""
    if not isinstance(dollars, int | float) or dollars < 0:
        return None
    micros = Decimal(str(dollars)) * _MILLION * _MILLION
    return int(micros.quantize(Decimal("0.001")).to_integral_value(ROUND_CEILING))


def _whole(dollars: object) -> int:
    return -(-(_micros(dollars) or 0) // _MILLION)


def _count(given: dict[str, Any], name: str) -> int:
    value = given.get(name)
    return int(value) if isinstance(value, int | float) and 0 < value < 2**31 else 0
