"""The dashboard and the alert rules that we ship ask only for what a running stack shows on `/metrics`."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import yaml

from shared.config.load import SERVICES
from tests.project.tree import ROOT
from tests.stack.conftest import World
from tests.support.wait import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

_NAME = re.compile(r"\bgatestack_[a-z_]+")
_SELECTOR = re.compile(r"(\bgatestack_[a-z_]+)\{([^}]*)\}")
_BY = re.compile(r"\bby \(([^)]*)\)")
_LABEL = re.compile(r"([a-z_]+)(?==)")
_SAMPLE = re.compile(r'^([a-z_]+)\{([a-z_]+="(?:[^"\\]|\\.)*"(?:,[a-z_]+="(?:[^"\\]|\\.)*")*)\} (\S+)$')
# They are shown where there is something of the kind: OTLP or a model without a price.
_SOMETIMES = {"gatestack_telemetry_lost"}


class Page:
    """What all services show together: each metric's name with the labels that it was seen with."""

    def __init__(self) -> None:
        self.labels: dict[str, set[str]] = {}

    def read(self, text: str) -> None:
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line.split()[2:]
                ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
                for end in ends:
                    self.labels.setdefault(name + end, set())
            elif not line.startswith("# HELP "):
                sample = _SAMPLE.match(line)
                assert sample, line
                float(sample[3])
                found = re.findall(r'([a-z_]+)="(?:[^"\\]|\\.)*"', sample[2])
                self.labels.setdefault(sample[1], set()).update(found)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(world: World) -> Page:
    operator = world.stack.directory / "state" / "operator.key"
    await eventually(operator.exists, "the operator's key")
    key = await world.key()
    echo = {"tool": "tools/echo", "arguments": {"text": "x"}}
    await world.steps(key, "planner", {"model": "fast"}, echo, {"model": "secret"})
    page = Page()
    for service in SERVICES:
        url = f"{world.stack.url_of(service)}/metrics"
        async with await world.stack.http.send("GET", url) as reply:
            assert reply.status == 200
            page.read((await reply.read(2**20)).decode())
    return page


def queries() -> Iterator[tuple[str, str]]:
    dashboard = msgspec.json.decode((ROOT / "deploy/grafana/gatestack.json").read_bytes())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]
    rules: Any = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert {"alert", "expr", "labels", "annotations"} <= set(rule)
            yield rule["alert"], rule["expr"]


async def test_every_query_names_metrics_that_are_there(page: Page) -> None:
    asked = list(queries())
    missing = {
        (where, name)
        for where, query in asked
        for name in _NAME.findall(query)
        if name not in page.labels and name not in _SOMETIMES
    }
    assert (missing, len(asked) > 30) == (set(), True)


async def test_every_query_tells_metrics_apart_by_labels_that_they_have(page: Page) -> None:
    for where, query in queries():
        for name, selector in _SELECTOR.findall(query):
            if labels := page.labels.get(name):
                assert set(_LABEL.findall(selector)) <= labels, where
        labels = set().union(*(page.labels.get(name, ()) for name in _NAME.findall(query)))
        for group in _BY.findall(query) if labels else ():
            assert {label.strip() for label in group.split(",")} <= labels, where


async def test_the_traffic_is_on_the_page(page: Page) -> None:
    silent = {name for name, labels in page.labels.items() if not labels}
    # Nothing was cached and nothing found.
    assert silent <= {"gatestack_cache_total", "gatestack_findings_total"}


async def test_no_label_names_a_person_or_a_chain(page: Page) -> None:
    labels = set().union(*page.labels.values())
    known = {"service", "kind", "outcome", "reason", "le", "target", "provider", "model", "result"}
    assert labels <= known


async def test_every_metric_is_documented(page: Page) -> None:
    text = (ROOT / "docs/observability.md").read_text()
    bare = {re.sub(r"(?<=_seconds)_(bucket|sum|count)$", "", name) for name in page.labels}
    assert {name for name in bare if f"`{name}`" not in text} == set()
