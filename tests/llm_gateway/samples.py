"""Tickets of the stages as tests of one stage need them."""

from typing import Any

from llm_gateway.ask import Ask
from llm_gateway.catalog import Model, Target
from llm_gateway.config import ProviderSection
from llm_gateway.prices import Price, ceiling
from llm_gateway.providers.openai_compatible import OpenAICompatible


def ask(**fields: Any) -> Ask:
    given = {"model": "fast", "stream": False, "body": b"{}", "spans": {}, "tokens_in": 10}
    return Ask(**{**given, **fields})


def target(name: str = "main", price: Price | None = None) -> Target:
    provider = OpenAICompatible(name, ProviderSection(base_url="http://127.0.0.1:9/v1"))
    return Target(provider, f"{name}-model", price or Price())


def native(name: str) -> OpenAICompatible:
    """A provider that speaks Responses itself."""
    section = ProviderSection(base_url="http://127.0.0.1:9/v1", wires=("openai_chat", "openai_responses"))
    return OpenAICompatible(name, section)


def model(price: Price | None = None, *targets: Target, default_output_tokens: int = 1_024) -> Model:
    known = targets or (target(price=price),)
    return Model("fast", known, (), ceiling([each.price for each in known]), default_output_tokens)
