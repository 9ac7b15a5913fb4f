"""Targets, models and plans as tests of the router need them."""

from collections.abc import Sequence
from typing import Any

from llm_gateway.catalog import Model, Target
from llm_gateway.config import ProviderSection
from llm_gateway.prices import Price, ceiling
from llm_gateway.providers.openai_compatible import OpenAICompatible
from llm_gateway.router.plan import Plan, routes
from llm_gateway.router.section import RoutingSection


def target(name: str, **fields: Any) -> Target:
    provider = OpenAICompatible(name, ProviderSection(base_url="http://127.0.0.1:9/v1"))
    return Target(provider, "m", **{"price": Price(), **fields})


def model(*targets: Target, **routing: Any) -> Model:
    prices = ceiling([each.price for each in targets])
    return Model("fast", targets, (), prices, 1_024, routing=RoutingSection(**routing))


def plan(*targets: Target, **routing: Any) -> Plan:
    """All of the main group in the order in which they are given."""
    known = routes(model(*targets, **routing))
    return Plan(known.main, known)


def names(targets: Sequence[Target]) -> list[str]:
    return [each.provider.name for each in targets]
