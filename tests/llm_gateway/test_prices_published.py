"""How a published price list becomes lines of the table."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from llm_gateway.prices import Price, Tier
from llm_gateway.prices.build import _genai_price, _merged, _same, _text
from llm_gateway.prices.published import lines
from llm_gateway.prices.table import Line, Source, Table

CHAT = {"litellm_provider": "openai", "mode": "chat"}


def line(name: str = "a-model", **given: Any) -> Line:
    [(_, found)] = lines({name: CHAT | given})
    return found


def test_dollars_for_a_token_become_micro_dollars_for_a_million() -> None:
    found = line(input_cost_per_token=1.5e-07, output_cost_per_token=6e-07, max_input_tokens=128000)
    assert found == Line(price=Price(tokens_in=150_000, tokens_out=600_000), context=128_000)


@pytest.mark.parametrize(
    ("dollars", "micros"), [(3e-06, 3_000_000), (3.75e-06, 3_750_000), (2.8e-08, 28_000)]
)
def test_the_decimal_that_was_meant_is_what_counts(dollars: float, micros: int) -> None:
    price = line(input_cost_per_token=dollars).price
    assert price is not None
    assert price.tokens_in == micros


def test_a_list_of_zeros_means_that_nobody_knows() -> None:
    assert line(input_cost_per_token=0.0, output_cost_per_token=0.0).price is None


def test_steps_by_length_of_the_prompt_come_along() -> None:
    price = line(
        input_cost_per_token=1e-06,
        output_cost_per_token=2e-06,
        input_cost_per_token_above_200k_tokens=2e-06,
        output_cost_per_token_above_200k_tokens=3e-06,
    ).price
    assert price is not None
    assert price.tiers == (Tier(above=200_000, tokens_in=2_000_000, tokens_out=3_000_000),)


def test_where_there_are_only_steps_the_first_is_the_price() -> None:
    steps = [
        {"range": [0, 32000], "input_cost_per_token": 1e-06, "output_cost_per_token": 5e-06},
        {"range": [32000, 128000], "input_cost_per_token": 2e-06, "output_cost_per_token": 6e-06},
    ]
    price = line(tiered_pricing=steps).price
    assert price is not None
    assert (price.tokens_in, price.tokens_out) == (1_000_000, 5_000_000)
    assert price.tiers == (Tier(above=32_000, tokens_in=2_000_000, tokens_out=6_000_000),)


def test_a_service_class_is_a_share_where_input_and_output_agree_on_it() -> None:
    base: dict[str, Any] = {"input_cost_per_token": 2e-06, "output_cost_per_token": 4e-06}
    price = line(**base, input_cost_per_token_batches=1e-06, output_cost_per_token_batches=2e-06).price
    other = line(**base, input_cost_per_token_batches=1e-06, output_cost_per_token_batches=3e-06).price
    assert price is not None
    assert other is not None
    assert (price.factors, other.factors) == ({"batch": 50}, {})


def test_what_is_billed_by_tokens_is_not_billed_by_the_second_too() -> None:
    speech = line(mode="audio_speech", output_cost_per_token=1e-05, output_cost_per_second=0.01).price
    heard = line(mode="audio_transcription", input_cost_per_second=0.0001).price
    assert speech is not None
    assert heard is not None
    assert (speech.units, heard.units, heard.unit) == (0, 100_000_000, "second")


@pytest.mark.parametrize(
    ("name", "provider", "ours"),
    [
        ("azure/gpt-4o", "azure", "azure/gpt-4o"),
        ("gemini-2.5-pro", "vertex_ai-language-models", "vertex_ai/gemini-2.5-pro"),
        ("bedrock/us.Anthropic.x-v1:0", "bedrock_converse", "bedrock/us.anthropic.x-v1:0"),
        ("command-r", "cohere_chat", "cohere/command-r"),
    ],
)
def test_models_stand_below_their_provider(name: str, provider: str, ours: str) -> None:
    given = {"litellm_provider": provider, "mode": "chat", "input_cost_per_token": 1e-06}
    assert [found for found, _ in lines({name: given})] == [ours]


def test_what_is_no_model_is_left_out() -> None:
    assert list(lines({"256-x-256/dall-e-2": CHAT, "sample_spec": {"mode": "chat"}})) == []


def test_the_second_list_is_in_dollars_for_a_million() -> None:
    tiered = SimpleNamespace(
        base=Decimal("1.25"), tiers=[SimpleNamespace(start=200_000, price=Decimal("2.5"))]
    )
    found = _genai_price(SimpleNamespace(input_mtok=tiered, output_mtok=Decimal("10"), cache_read_mtok=None))
    assert found == Price(
        tokens_in=1_250_000, tokens_out=10_000_000, tiers=(Tier(above=200_000, tokens_in=2_500_000),)
    )
    assert _genai_price(SimpleNamespace(input_mtok=None)) is None


def test_two_lists_agree_within_what_rounding_does() -> None:
    price = Price(tokens_in=1_000_000, tokens_out=2_000_000)
    assert _same(price, Price(tokens_in=1_000_010, tokens_out=1_999_990))
    assert not _same(price, Price(tokens_in=1_100_000, tokens_out=2_000_000))
    assert not _same(price, None)


def test_the_first_list_stands_and_the_second_fills_what_is_missing() -> None:
    first = {
        "a/x": Line(price=Price(tokens_in=1)),
        "a/y": Line(context=9),
        "a/z": Line(price=Price(tokens_in=5)),
    }
    second = {name: Line(price=Price(tokens_in=5)) for name in ("a/x", "a/y", "a/z", "b/w")}
    source = Source(package="p", version="1", licence="MIT")
    table = _merged(first, second, [source])
    assert (table.agreed, table.disputed) == (1, ("a/x",))
    read = msgspec.json.decode(_text(table), type=Table)
    assert [read.line(name) for name in ("a/x", "a/y", "b/w")] == [
        Line(price=Price(tokens_in=1)),
        Line(price=Price(tokens_in=5), context=9),
        Line(price=Price(tokens_in=5)),
    ]
