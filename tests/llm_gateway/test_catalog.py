"""The models that a configuration makes."""

from llm_gateway.catalog import Catalog
from llm_gateway.config import ModelSection, ProviderSection, Section, TargetSection
from llm_gateway.prices import Price

SECTION = Section(
    providers={name: ProviderSection(base_url=f"http://{name}/v1") for name in ("a", "b")},
    models={
        "fast": ModelSection(
            targets=[
                TargetSection(provider="a", model="a-1"),
                TargetSection(provider="b", model="b-1", price=Price(tokens_in=9)),
            ],
            aliases=["quick"],
            price=Price(tokens_in=3, tokens_out=5),
            labels=["sends:outside"],
        )
    },
)


def test_an_alias_finds_the_same_model() -> None:
    catalog = Catalog(SECTION)
    assert catalog.find("quick") is catalog.find("fast")
    assert catalog.find("nobody") is None
    assert [name for name, _ in catalog.items()] == ["fast", "quick"]


def test_targets_keep_their_order_and_their_price() -> None:
    model = Catalog(SECTION).find("quick")
    assert model is not None
    assert (model.resource, model.labels) == ("model:fast", ("sends:outside",))
    assert [(target.name, target.price.tokens_in) for target in model.targets] == [("a/a-1", 3), ("b/b-1", 9)]


def test_the_ceiling_covers_the_dearest_target_in_every_part() -> None:
    model = Catalog(SECTION).find("fast")
    assert model is not None
    assert (model.ceiling.tokens_in, model.ceiling.tokens_out) == (9, 5)
