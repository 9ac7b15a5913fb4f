"""The models that exist here: names, aliases, where each is answered, what it costs, what it taints. Built
once.
"""

from msgspec import Struct

from llm_gateway.config import ModelSection, Section
from llm_gateway.prices import Price, PriceBook, ceiling
from llm_gateway.providers import PROVIDERS, Provider, speaker
from llm_gateway.router.section import MAIN, RoutingSection
from shared.agent_list import PREFIX, AgentList, Listed

# What an agent uses is billed where it uses it.
FREE = Price()


class Target(Struct, frozen=True):
    """One provider's name for a model, and its price there. `refuses_loss`: a call that it cannot be told
    whole is refused instead of told in part. The rest is for the router: `context_window` is None where the
    operator has not said it, `expect_model` a pattern for what it calls itself in its answers.
    """

    provider: Provider
    model: str
    price: Price
    refuses_loss: bool = False
    group: str = MAIN
    weight: float = 1.0
    context_window: int | None = None
    expect_model: str = ""

    def wire_for(self, spoken: str) -> str:
        """The format to ask it in: the caller's own where it can be."""
        return spoken if spoken in self.provider.wires else self.provider.wires[0]

    @property
    def name(self) -> str:
        return f"{self.provider.name}/{self.model}"


class Model(Struct, frozen=True):
    """`ceiling` is the price that no target exceeds which a caller may have to pay for."""

    name: str
    targets: tuple[Target, ...]
    labels: tuple[str, ...]
    ceiling: Price
    default_output_tokens: int
    routing: RoutingSection = RoutingSection()

    @property
    def resource(self) -> str:
        """An agent is an agent, also where it is called like a model."""
        return self.name if self.name.startswith(PREFIX) else f"model:{self.name}"

    @property
    def acts(self) -> bool:
        """Whether an agent may answer, who does something beside answering."""
        return any(target.provider.section.kind == "agent" for target in self.targets)


class Catalog:
    """`book` knows the prices that are not said where a model is configured. `agents` are models, too, where
    a provider of that kind is configured.
    """

    def __init__(
        self, section: Section, book: PriceBook | None = None, agents: AgentList | None = None
    ) -> None:
        book = book or PriceBook()
        self._agents = agents
        self.providers: dict[str, Provider] = {
            name: PROVIDERS[provider.kind](name, provider) for name, provider in section.providers.items()
        }
        self._door = next((each for each in self.providers.values() if each.section.kind == "agent"), None)
        self._models: dict[str, Model] = {}
        for name, described in section.models.items():
            model = _model(name, described, self.providers, book)
            self._models.update(dict.fromkeys((name, *described.aliases), model))

    def find(self, name: str) -> Model | None:
        return self._models.get(name) or self._agent(name)

    def agents(self) -> list[tuple[Listed, Model]]:
        """Those that can be called as models."""
        listed = self._agents.all() if self._agents is not None else []
        return [(each, model) for each in listed if (model := self._agent(PREFIX + each.name)) is not None]

    def _agent(self, name: str) -> Model | None:
        if self._door is None or self._agents is None or not name.startswith(PREFIX):
            return None
        agent = self._agents.find(name.removeprefix(PREFIX))
        if agent is None:
            return None
        return Model(
            name=name,
            targets=(Target(self._door, agent.name, FREE),),
            labels=agent.labels,
            ceiling=FREE,
            default_output_tokens=0,
        )

    def items(self) -> list[tuple[str, Model]]:
        """Every name that may be called, aliases too, with its model."""
        return list(self._models.items())


def _model(name: str, section: ModelSection, providers: dict[str, Provider], book: PriceBook) -> Model:
    targets = tuple(
        Target(
            speaker(providers[target.provider], target.model),
            target.model,
            target.price or section.price or _price(book, providers[target.provider], target.model),
            refuses_loss=section.untranslatable == "refuse",
            group=target.group,
            weight=target.weight,
            context_window=target.context_window,
            expect_model=target.expect_model,
        )
        for target in section.targets
    )
    unpaid = section.routing.mirror.to if section.routing.mirror is not None else None
    return Model(
        name=name,
        targets=targets,
        labels=tuple(section.labels),
        ceiling=ceiling([target.price for target in targets if target.group != unpaid]),
        default_output_tokens=section.default_output_tokens,
        routing=section.routing,
    )


def _price(book: PriceBook, provider: Provider, model: str) -> Price:
    section = provider.section
    if section.kind == "agent":
        return FREE
    known = section.known or (provider.name if not section.base_url else "")
    kind = section.kind if section.kind != "openai_compatible" else known
    return book.price(model, name=provider.name, kind=kind, base_url=section.base_url)
