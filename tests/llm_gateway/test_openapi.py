"""The gateway's own description is valid, complete, true, and for those only who are known here."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from starlette.routing import Route

from llm_gateway.listing import PATHS as LISTS
from llm_gateway.openapi.document import PATH, document
from llm_gateway.openapi.operations import ANY, operations_at
from shared.dialects.model_paths import PREFIXES
from shared.health import PUBLIC_PATHS
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, rule
from tests.support.providers import ScriptedProvider

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


async def fetched(gateway: Gateway) -> Any:
    heard = await gateway.get(PATH)
    assert (heard.status, heard.headers["content-type"]) == (200, "application/json")
    return heard.json


def served(gateway: Gateway) -> set[str]:
    """Every path that some route of the app stands at, without what the lists of models answer."""
    patterns = [route.path for route in gateway.service.app.routes if isinstance(route, Route)]
    assert patterns.pop() == "/{path:path}"
    return {_plain(pattern) for pattern in patterns if pattern not in PUBLIC_PATHS}


def _plain(pattern: str) -> str:
    return re.sub(r"\{\w+(?::path)?\}", "{}", pattern)


def _filled(path: str) -> str:
    return re.sub(r"\{\w+\}", "x", path)


def _refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from _refs(item)
    elif isinstance(value, list):
        for item in value:
            yield from _refs(item)


async def test_it_is_a_valid_document_whose_references_lead_somewhere(plain: Gateway) -> None:
    described = await fetched(plain)
    schemathesis.openapi.from_dict(described).validate()
    for ref in set(_refs(described)):
        place = described
        for name in ref.removeprefix("#/").split("/"):
            place = place[name]
    for name, schema in described["components"]["schemas"].items():
        whole = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
        assert jsonschema_rs.meta.is_valid(schema), name
        jsonschema_rs.validator_for(whole)


async def test_every_schema_is_used(plain: Gateway) -> None:
    described = await fetched(plain)
    used = {ref.rpartition("/")[2] for ref in _refs(described)}
    assert set(described["components"]["schemas"]) <= used


async def test_operations_have_different_ids(plain: Gateway) -> None:
    described = await fetched(plain)
    ids = [each["operationId"] for path in described["paths"].values() for each in path.values()]
    assert len(ids) == len(set(ids))


async def test_what_is_served_is_described_and_nothing_else(plain: Gateway) -> None:
    described = {_plain(path) for path in (await fetched(plain))["paths"]}
    lists = {path for each in LISTS for path in (each, f"{each}/{{}}")}
    assert described == served(plain) | lists


async def test_no_path_is_only_guessed_at(plain: Gateway) -> None:
    assert [path for path in (await fetched(plain))["paths"] if operations_at(path) is ANY] == []


def test_a_path_that_nobody_has_described_is_told_all_the_same() -> None:
    described = document(["/v1/brand/{new:path}"])["paths"]["/v1/brand/{new}"]
    assert list(described) == ["post"]
    assert described["post"]["parameters"][0]["name"] == "new"


async def test_everything_described_is_behind_authentication(plain: Gateway) -> None:
    described = await fetched(plain)
    for path, operations in described["paths"].items():
        for method in operations:
            heard = await plain.hear(b"{}", method=method.upper(), path=_filled(path), headers={})
            assert heard.status == 401, (method, path)


async def test_an_error_has_the_form_that_is_described(plain: Gateway) -> None:
    described = await fetched(plain)
    components = {"components": described["components"]}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            heard = await plain.hear(b"[", method=method.upper(), path=_filled(path), headers={})
            response = operation["responses"]["4XX"]["$ref"].rpartition("/")[2]
            schema = {"$ref": f"#/components/schemas/{response}"} | components
            assert jsonschema_rs.is_valid(schema, heard.json), (method, path, heard.body)


async def test_a_method_is_taken_if_and_only_if_it_is_described(
    opened: Open, provider: ScriptedProvider
) -> None:
    policy, passed = {"rules": [rule(obj="*")]}, {"passthrough": {"x": {"methods": METHODS}}}
    known = {"x": {"base_url": provider.base_url}}
    models = {"fast": {"targets": [{"provider": "x", "model": "m"}]}}
    async with opened(
        provider, policy=policy, endpoints=passed, providers=known, models=models, accept=["identity"]
    ) as gateway:
        for path, operations in (await fetched(gateway))["paths"].items():
            for method in METHODS:
                heard = await gateway.hear(b"{}", method=method, path=_filled(path))
                taken = method.lower() in operations
                assert (heard.status != 405) == taken, (method, path, heard.status)
                assert b"there is nothing at" not in heard.body


async def test_it_takes_a_get_and_is_an_entry(plain: Gateway) -> None:
    assert (await plain.hear(b"{}", path=PATH)).status == 405
    await fetched(plain)
    first, second = await plain.service.rows(2)
    assert (first.resource, first.outcome) == ("route:llm/openapi", "refused")
    assert (second.resource, second.action, second.outcome) == ("route:llm/openapi", "read", "completed")


def test_the_edge_leads_to_it() -> None:
    assert PATH.startswith(tuple(f"{prefix}/" for prefix in PREFIXES))


async def test_requests_of_the_official_clients_fit(plain: Gateway) -> None:
    components = (await fetched(plain))["components"]
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    tool = {"name": "f", "parameters": {"type": "object", "properties": {}}}
    samples: list[tuple[str, dict[str, Any]]] = [
        (
            "ChatRequest",
            {
                "model": "fast",
                "messages": [{"role": "user", "content": [{"type": "text", "text": "See"}, picture]}],
                "tools": [{"type": "function", "function": tool}],
                "stream": True,
            },
        ),
        ("ResponsesRequest", {"model": "fast", "input": [{"role": "user", "content": "Hi"}], "store": False}),
        (
            "MessagesRequest",
            {"model": "fast", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
        ),
        ("ContentRequest", {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}),
        ("EmbeddingsRequest", {"model": "fast", "input": [[1, 2], [3]], "encoding_format": "base64"}),
    ]
    for name, sample in samples:
        schema = {"$ref": f"#/components/schemas/{name}", "components": components}
        assert jsonschema_rs.is_valid(schema, sample), name
        assert not jsonschema_rs.is_valid(schema, {"model": 7}), name


@pytest.mark.parametrize("path", ["/openapi.json", "/v1/openapi.json/", "/v1/openapi"])
async def test_it_stands_at_one_place_only(plain: Gateway, path: str) -> None:
    assert (await plain.get(path)).status == 404
