"""What is wrong with a model's routing is said before a socket opens, all of it at once."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_gateway.config import ModelSection, ProviderSection, Section, TargetSection, problems
from llm_gateway.router.section import (
    CanarySection,
    ClassifierSection,
    FallbackSection,
    MirrorSection,
    ProbeSection,
    RouterSection,
    RoutingSection,
    TaskRule,
    mirror_problems,
)
from shared.config.build import Builder


def section(
    groups: tuple[str, ...] = ("main",), router: RouterSection | None = None, **routing: Any
) -> Section:
    targets = [TargetSection(provider="p", model=f"m{n}", group=group) for n, group in enumerate(groups)]
    return Section(
        providers={"p": ProviderSection(base_url="http://127.0.0.1:9/v1")},
        models={"fast": ModelSection(targets=targets, routing=RoutingSection(**routing))},
        router=router or RouterSection(),
    )


def test_a_whole_routing_is_fine() -> None:
    given = section(
        ("main", "strong", "new", "copy"),
        strategy="lowest_latency",
        rules=[TaskRule(when="tokens > 1000 or images > 0", to="strong")],
        classifier=ClassifierSection(hard="strong"),
        canary=CanarySection(to="new", percent=5, when='headers.x_canary == "1"'),
        mirror=MirrorSection(to="copy"),
        fallbacks=FallbackSection(context=("larger", "strong"), content=("strong",)),
    )
    assert problems(given) == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"groups": ("main", "next")}, "targets[1].group: 'next' is no name for a group"),
        ({"groups": ("other",)}, "targets: none is left for the group 'main'"),
        ({"rules": [TaskRule(when="stream", to="x")]}, "routing.rules[0].to: no target is in the group 'x'"),
        (
            {"rules": [TaskRule(when="args.x", to="main")]},
            "routing.rules[0].when: the condition reads 'args'",
        ),
        (
            {"classifier": ClassifierSection(hard="x")},
            "routing.classifier.hard: no target is in the group 'x'",
        ),
        ({"canary": CanarySection(to="main")}, "routing.canary: give it a percent"),
        (
            {"canary": CanarySection(to="main", when="(")},
            "routing.canary.when: the condition is not an expression",
        ),
        ({"mirror": MirrorSection(to="main")}, "routing.mirror.to: must be a group of its own"),
        (
            {"groups": ("main", "copy"), "mirror": MirrorSection(to="copy", endpoints=("chat", "images"))},
            "routing.mirror.endpoints[1]: no copies are made of 'images', only of chat, completions",
        ),
        (
            {"groups": ("main", "copy"), "mirror": MirrorSection(to="copy", endpoints=())},
            "routing.mirror.endpoints: must name one",
        ),
        ({"fallbacks": FallbackSection(content=("x",))}, "routing.fallbacks.content[0]: no target is in"),
        (
            {"fallbacks": FallbackSection(error=("larger",))},
            "routing.fallbacks: 'larger' has a meaning under context",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_path(given: dict[str, Any], problem: str) -> None:
    [found] = problems(section(**given))
    assert found.startswith(f"models.fast.{problem}")


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [("anthropic", (1, 2)), ("gemini", (2,)), ("azure_openai", ()), ("openai_compatible", ())],
)
def test_a_mirror_listens_to_what_its_target_can_answer(kind: str, wrong: tuple[int, ...]) -> None:
    mirror = MirrorSection(to="copy", endpoints=("chat", "embeddings", "rerank"))
    groups = [("main", "openai_compatible"), ("copy", kind)]
    found = list(mirror_problems(RoutingSection(mirror=mirror), groups))
    assert [each.partition(":")[0] for each in found] == [f"routing.mirror.endpoints[{n}]" for n in wrong]


def test_the_examples_of_the_page_are_configurations() -> None:
    page = (Path(__file__).parents[3] / "docs" / "routing.md").read_text()
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    assert len(blocks) > 5
    for block in blocks:
        builder = Builder()
        if isinstance(block, list):
            builder.build(block, list[TargetSection], "targets")
        elif "llm_gateway" in block:
            builder.build(block["llm_gateway"], Section, "llm_gateway")
        else:
            builder.build(block, RoutingSection, "routing")
        assert builder.problems == []


def test_the_same_target_twice_in_a_group_is_a_mistake() -> None:
    target = TargetSection(provider="p", model="m")
    given = section()
    twice = Section(providers=given.providers, models={"fast": ModelSection(targets=[target, target])})
    assert problems(twice) == ["models.fast.targets[1]: p/m is in the group 'main' already"]


def test_probes_of_models_that_are_not_there_are_a_mistake() -> None:
    router = RouterSection(probes=ProbeSection(models=["slow"]))
    assert problems(section(router=router)) == ["router.probes.models[0]: 'slow' is no model here"]
