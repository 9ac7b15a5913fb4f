"""The pages are true where a program can tell: links lead somewhere, and what they show can be used."""

import re
import shlex
from typing import Any

import pytest
import yaml
from cyclopts import CycloptsError, MissingArgumentError

import agent_gateway.config
import api_gateway.http_route
import llm_gateway.config
import mcp_gateway.config
from api_gateway.balance.settings import Concurrency
from api_gateway.cli import command_line
from api_gateway.declared import SHAPES
from llm_gateway.router.section import RoutingSection
from shared.config.build import Builder, Resolved, built
from shared.config.sections import Shared
from shared.limits.rule import LimitRule
from shared.policy.condition import FUNCTIONS, NAMES
from shared.policy.document import PolicyDocument
from shared.policy.rules import Rule
from shared.policy.rules import problems as policy_problems
from tests.project.sections import SECTIONS, kinds
from tests.project.snippets import PAGES, Block, anchors, blocks, commands, links, named_commands
from tests.project.tree import ROOT, SERVICES, name_of

# What a piece of a configuration is, by its first name: what stands below that, or an item of a list.
_PIECES: dict[str, Any] = {
    "routes": list[api_gateway.http_route.HttpRoute],
    "concurrency": Concurrency,
    "limits": list[LimitRule],
    "providers": dict[str, llm_gateway.config.ProviderSection],
    "agents": dict[str, agent_gateway.config.AgentEntry],
}
_ITEMS: dict[str, Any] = {
    "id": Rule,
    "sub": Rule,
    "name": api_gateway.http_route.HttpRoute,
    "provider": llm_gateway.config.TargetSection,
}
_PARTS: dict[str, Any] = {"catalogs": mcp_gateway.config.Section, "tests": PolicyDocument}
_PARTS |= dict.fromkeys(RoutingSection.__struct_fields__, RoutingSection)
_REFERENCE = re.compile(r"\$\{[^}]*\}")


def test_every_link_leads_somewhere() -> None:
    dead = []
    for page in PAGES:
        for target in links(page):
            file, _, anchor = target.partition("#")
            there = (page.parent / file).resolve() if file else page
            if not there.exists() or (anchor and anchor not in anchors(there)):
                dead.append(f"{name_of(page)}: {target}")
    assert dead == []


@pytest.mark.parametrize("block", list(blocks("yaml")), ids=lambda block: block.place)
def test_every_configuration_that_is_shown_is_one(block: Block) -> None:
    builder = Builder()
    for document in yaml.safe_load_all(block.text):
        _built(_filled(document), builder)
    assert builder.problems == []


@pytest.mark.parametrize("line", list(commands()), ids=lambda line: line.place)
def test_every_command_that_is_shown_is_there(line: Block) -> None:
    words = shlex.split(line.text, comments=True)[1:]
    for stop in ("|", ">", "&&"):
        words = words[: words.index(stop)] if stop in words else words
    command_line().parse_args([word for word in words if word != "…"], exit_on_error=False, print_error=False)


def test_every_command_that_a_sentence_names_is_there() -> None:
    app, wrong = command_line(), []
    for line in named_commands():
        # Of several that are named together, the first stands for all.
        words = re.split(r" ?[|,…]", line.text)[0].split()[1:]
        try:
            app.parse_args(words, exit_on_error=False, print_error=False)
        except MissingArgumentError:
            continue
        except CycloptsError as error:
            wrong.append(f"{line.place}: {line.text}: {error}")
    assert wrong == []


def test_every_name_of_a_configuration_is_on_some_page() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    names = {field for kind in kinds() for field in kind.__struct_encode_fields__}
    assert len(names) > 100
    assert [name for name in sorted(names) if not re.search(rf"(?<!\w){name}(?!\w)", text)] == []


def test_every_name_that_a_condition_can_read_is_on_the_page_of_policy() -> None:
    page = (ROOT / "docs" / "policy.md").read_text()
    assert [name for name in sorted(NAMES | set(FUNCTIONS)) if not re.search(rf"\b{name}\b", page)] == []


def _built(document: Any, builder: Builder) -> None:
    if isinstance(document, list):
        for item in document:
            builder.build(item, _ITEMS[next(iter(item))], "")
        return
    first = next(iter(document))
    if first == "kind":
        builder.build(document["spec"], SHAPES[document["kind"]].spec, "spec")
    elif first in _PIECES:
        builder.build(document[first], _PIECES[first], first)
    elif first in _PARTS:
        builder.build(document, _PARTS[first], "")
    else:
        _whole(document, builder)


def _whole(document: dict[str, Any], builder: Builder) -> None:
    for name in SERVICES:
        builder.build(document.pop(name, None), SECTIONS[name], name)
    shared = builder.build(document, Shared, "")
    builder.problems += policy_problems(shared.policy) if built(shared) else []


def _filled(value: Any) -> Any:
    """As if every variable and file were there."""
    if isinstance(value, dict):
        return {name: _filled(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item) for item in value]
    if isinstance(value, str) and _REFERENCE.search(value):
        return Resolved(_REFERENCE.sub("x", value))
    return value
