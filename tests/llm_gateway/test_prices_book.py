"""Whose price counts, and how a model is found under any of its names."""

from datetime import date
from pathlib import Path

import msgspec
import pytest

from llm_gateway.prices import UNKNOWN, Price, PriceBook, cost, facts
from llm_gateway.prices.names import candidates, provider_at, table_provider
from llm_gateway.prices.table import table
from shared.ledger.entry import Usage

OWN = Price(tokens_in=7)


def price(model: str, kind: str = "openai", book: PriceBook | None = None, **more: str) -> Price:
    return (book or PriceBook()).price(model, name="mine", kind=kind, **more)


def test_the_table_knows_thousands_of_models_and_where_they_come_from() -> None:
    found = table()
    priced = [
        name for name in found.models if (line := found.line(name)) is not None and line.price is not None
    ]
    assert len(priced) >= 2_000
    assert date.fromisoformat(found.as_of) <= date.today()
    assert {source.package for source in found.sources} == {"litellm", "genai-prices"}
    assert all(source.version and source.licence == "MIT" for source in found.sources)
    assert found.agreed > 400
    assert set(found.disputed) <= set(found.models)


def test_every_line_of_the_table_is_a_price_that_counts_something() -> None:
    found, everything = table(), Usage(tokens_in=10**6, tokens_out=10**6, units=10**6)
    for name in found.models:
        line = found.line(name)
        assert line is not None
        assert line.price is None or cost(line.price, everything) > 0, name
        assert name == name.lower()


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("openai", "gpt-4o-mini"),
        ("openai", "GPT-4o-mini"),
        ("openai", "gpt-4o-mini-2024-07-18"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc123"),
        ("anthropic", "claude-sonnet-4-5"),
        ("anthropic", "claude-sonnet-4-5-20250929"),
        ("anthropic", "claude-3-5-haiku-latest"),
        ("gemini", "models/gemini-2.5-pro"),
        ("vertex", "publishers/google/models/gemini-2.5-pro"),
        ("vertex", "claude-sonnet-4-5@20250929"),
        ("bedrock", "anthropic.claude-3-5-sonnet-20240620-v1:0"),
        ("bedrock", "eu.anthropic.claude-haiku-4-5-20251001-v1:0"),
        (
            "bedrock",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        ("azure_openai", "gpt-4o"),
        ("groq", "llama-3.3-70b-versatile"),
        ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
        ("fireworks", "accounts/fireworks/models/deepseek-v3"),
        ("mistral", "mistral-large-latest"),
        ("openrouter", "openai/gpt-4o"),
    ],
)
def test_a_model_is_found_under_the_names_that_providers_give_it(kind: str, model: str) -> None:
    found = price(model, kind)
    assert found is not UNKNOWN
    assert found.tokens_in > 0
    assert found.tokens_out > 0


def test_known_prices_have_come_through_as_they_are() -> None:
    assert price("gpt-4o-mini") == Price(
        tokens_in=150_000, tokens_out=600_000, cached=75_000, factors={"batch": 50, "priority": 167}
    )
    sonnet = price("claude-sonnet-4-5", "anthropic")
    assert (sonnet.tokens_in, sonnet.tokens_out, sonnet.cached, sonnet.cache_write) == (
        3_000_000,
        15_000_000,
        300_000,
        3_750_000,
    )
    [step] = price("gemini-2.5-pro", "gemini").tiers
    assert (step.above, step.tokens_in, step.tokens_out) == (200_000, 2_500_000, 15_000_000)
    whisper = price("whisper-1")
    assert (whisper.units, whisper.unit) == (100_000_000, "second")
    assert cost(price("rerank-v3.5", "cohere"), Usage(units=1)) == 2_000


@pytest.mark.parametrize("kind", ["openai_compatible", "", "nobody-knows"])
def test_a_server_of_ones_own_has_no_public_price_whatever_its_models_are_called(kind: str) -> None:
    assert price("gpt-4o", kind) is UNKNOWN
    assert PriceBook().price("gpt-4o", name="openai", kind=kind, base_url="http://127.0.0.1:9/v1") is UNKNOWN


def test_a_provider_is_known_by_its_address_too() -> None:
    found = price("gpt-4o-mini", "openai_compatible", base_url="https://api.openai.com/v1")
    assert found.tokens_in == 150_000
    assert provider_at("https://acme.openai.azure.com/openai/v1") == "azure"
    assert provider_at("https://api.openai.com.evil.example/v1") == ""


def test_a_model_that_nobody_knows_has_no_price() -> None:
    assert price("gpt-99-imaginary") is UNKNOWN


@pytest.mark.parametrize("name", ["mine/gpt-4o", "openai/gpt-4o", "gpt-4o", "OpenAI/GPT-4o"])
def test_what_the_operator_says_counts_more_than_the_table(name: str) -> None:
    book = PriceBook({name: OWN})
    assert price("gpt-4o", book=book) is OWN
    assert price("gpt-4o-mini", book=book) is not OWN


def test_a_zero_that_the_operator_says_is_a_price() -> None:
    free = Price()
    assert price("gpt-4o", book=PriceBook({"gpt-4o": free})) is free
    assert free is not UNKNOWN


def test_overrides_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text('{"openai/gpt-4o": {"in": 5, "out": 6, "tiers": [{"above": 10, "in": 9}]}}')
    assert price("gpt-4o", book=PriceBook.read(file)).tiers[0].tokens_in == 9
    file.write_text('{"openai/gpt-4o": {"in": "cheap"}}')
    with pytest.raises(msgspec.ValidationError, match="in"):
        PriceBook.read(file)


def test_context_windows_are_known_whoever_serves_the_model() -> None:
    here, there = facts("openai", "gpt-4o-mini"), facts("openai_compatible", "gpt-4o-mini-2024-07-18")
    assert here is not None
    assert (here.context, here.max_out, here.kind) == (128_000, 16_384, "chat")
    assert there == here
    assert facts("openai", "gpt-99-imaginary") is None


def test_names_are_tried_from_the_most_exact_one_on() -> None:
    assert next(candidates("Models/Gemini-2.5-Pro")) == "models/gemini-2.5-pro"
    assert len(list(candidates("gpt-4o"))) == len(set(candidates("gpt-4o")))
    assert [table_provider(name) for name in ("together", "x-ai", "vertex_ai-language-models", "groq")] == [
        "together_ai",
        "xai",
        "vertex_ai",
        "groq",
    ]
