"""The models that exist here: names, aliases, where each is answered, what it costs, what it taints. Built
once.
"""

from msgspec import Struct

from llm_gateway.config import ModelSection, Section
from llm_gateway.prices import Price, ceiling
from llm_gateway.providers import PROVIDERS, Provider


class Target(Struct, frozen=True):
    """One provider's name for a model, and its price there."""

    provider: Provider
    model: str
    price: Price

    @property
    def name(self) -> str:
        return f"{self.provider.name}/{self.model}"


class Model(Struct, frozen=True):
    """`ceiling` is the price that no target exceeds."""

    name: str
    targets: tuple[Target, ...]
    labels: tuple[str, ...]
    ceiling: Price
    default_output_tokens: int

    @property
    def resource(self) -> str:
        return f"model:{self.name}"


class Catalog:
    def __init__(self, section: Section) -> None:
        providers = {
            name: PROVIDERS[provider.kind](name, provider) for name, provider in section.providers.items()
        }
        self._models: dict[str, Model] = {}
        for name, described in section.models.items():
            model = _model(name, described, providers)
            self._models.update(dict.fromkeys((name, *described.aliases), model))

    def find(self, name: str) -> Model | None:
        return self._models.get(name)

    def items(self) -> list[tuple[str, Model]]:
        """Every name that may be called, aliases too, with its model."""
        return list(self._models.items())


def _model(name: str, section: ModelSection, providers: dict[str, Provider]) -> Model:
    targets = tuple(
        Target(providers[target.provider], target.model, target.price or section.price)
        for target in section.targets
    )
    return Model(
        name=name,
        targets=targets,
        labels=tuple(section.labels),
        ceiling=ceiling([target.price for target in targets]),
        default_output_tokens=section.default_output_tokens,
    )
