"""Endpoints next to chat follow their model's routing, with breakers of their own."""

from typing import Any

import pytest

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, Heard, model_section
from tests.support.endpoint_provider import embeddings
from tests.support.providers import REAL_MODEL, ScriptedProvider, completion, error

PATH, ASK = "/v1/embeddings", {"model": "fast", "input": "hello"}
DEAR, CHEAP = {"in": 9_000_000}, {"in": 1_000_000}


def routed(*targets: dict[str, Any], **routing: Any) -> dict[str, Any]:
    named = [{"provider": name, "model": REAL_MODEL} for name in ("main", "second")]
    return {
        "fast": {
            "targets": [one | more for one, more in zip(named, targets, strict=True)],
            "routing": routing,
        }
    }


async def embed(gateway: Gateway) -> Heard:
    return await gateway.hear(ASK, path=PATH)


async def test_the_strategy_chooses(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    second.will(embeddings([1.0]))
    models = routed({"price": DEAR}, {"price": CHEAP}, strategy="lowest_cost")
    async with opened(provider, second, models=models) as gateway:
        assert (await embed(gateway)).status == 200
        row = await gateway.service.row()
        assert (row.provider, provider.calls) == ("second", [])
        assert [found.partition(" ")[0] for found in row.findings] == ["routed:lowest_cost"]


async def test_the_same_target_is_asked_again_where_that_is_wanted(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(error(500), embeddings([1.0]))
    models = routed({}, {}, retries={"per_target": 1, "backoff_seconds": 0})
    async with opened(provider, second, models=models) as gateway:
        assert (await embed(gateway)).status == 200
        row = await gateway.service.row()
        assert (row.provider, row.attempts, len(provider.calls), second.calls) == ("main", 2, 2, [])
        assert row.findings[0].startswith("retry:main/")


async def test_another_group_answers_where_the_first_cannot(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(error(500))
    second.will(embeddings([1.0]))
    models = routed({}, {"group": "spare"}, fallbacks={"error": ["spare"]})
    async with opened(provider, second, models=models) as gateway:
        assert (await embed(gateway)).status == 200
        assert (await gateway.service.row()).provider == "second"
    models = routed({}, {"group": "spare"}, fallbacks={"error": []})
    async with opened(provider, second, models=models) as gateway:
        assert (await embed(gateway)).status == 502


async def test_no_copies_are_made_of_it(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(embeddings([1.0]))
    async with opened(provider, second, models=routed({}, {"group": "new"}, mirror={"to": "new"})) as gateway:
        assert (await embed(gateway)).status == 200
    assert second.calls == []


async def test_its_breaker_is_its_own_and_as_the_operator_says(
    opened: Open, provider: ScriptedProvider
) -> None:
    provider.will(error(500))
    router = {"breaker": {"consecutive": 1}}
    async with opened(provider, router=router) as gateway:
        assert (await embed(gateway)).status == 502
        assert (await embed(gateway)).status == 503
        assert gateway.service.parts.telemetry.gauges["gatestack_deployments_shut"]() == 1
        asked = len(provider.calls)
        provider.will(completion())
        assert (await gateway.ask()).status == 200
        assert (asked, len(provider.calls)) == (1, 2)


@pytest.mark.parametrize("path", ["/v1/rerank", "/v1/moderations", "/v1/images/generations"])
async def test_a_model_that_nobody_has_there_is_the_callers_mistake(
    opened: Open, provider: ScriptedProvider, path: str
) -> None:
    section = {"kind": "anthropic", "base_url": provider.base_url, "key": "${KEY}"}
    body = {"model": "fast", "input": "a", "prompt": "a", "query": "a", "documents": ["b"]}
    async with opened(provider, providers={"main": section}, models={"fast": model_section()}) as gateway:
        heard = await gateway.hear(body, path=path)
        assert (heard.status, heard.error["param"], provider.calls) == (400, "model", [])
