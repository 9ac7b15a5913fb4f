"""Documents that lie, loop, explode or point elsewhere: nothing of them is trusted but what can be used."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from mcp_gateway.transports import OpenApi
from mcp_gateway.upstreams.openapi import document
from mcp_gateway.upstreams.openapi.document import Unusable, read
from mcp_gateway.upstreams.openapi.operations import Found, operations
from mcp_gateway.upstreams.openapi.source import Source
from shared import egress
from shared.errors import UpstreamFault, UpstreamUnreachable
from shared.http_client import HttpClient
from tests.mcp_gateway.conftest import Open
from tests.support.serve import serving

GOOD = {"operationId": "good", "responses": {"200": {}}}


def found(paths: dict[str, Any], **root: Any) -> Found:
    whole = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths} | root
    return operations(read(msgspec.json.encode(whole)), OpenApi(document="x"))


def left_out(schema: Any, **schemas: Any) -> str:
    """Why an operation with such a body is no tool; empty if it is one."""
    body = {"content": {"application/json": {"schema": schema}}}
    paths = {"/a": {"get": GOOD}, "/b": {"post": {"operationId": "bad", "requestBody": body}}}
    return found(paths, components={"schemas": schemas}).left_out.get("bad", "")


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def doubled(levels: int) -> dict[str, Any]:
    """Schemas of which each holds the next twice."""
    made = {f"s{n}": {"allOf": [ref(f"s{n + 1}"), ref(f"s{n + 1}")]} for n in range(levels)}
    return made | {f"s{levels}": {"type": "string"}}


def test_a_large_schema_that_everything_refers_to_is_not_written_down_everywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(document, "_MOST_PARTS", 5_000)
    large = {"properties": {f"p{n}": {"type": "string"} for n in range(40)}}
    one = {"in": "query", "name": "x", "schema": ref("Large")}
    paths = {f"/a{n}": {"get": GOOD | {"operationId": f"op{n}", "parameters": [one]}} for n in range(150)}
    told = found(paths, components={"schemas": {"Large": large}})
    assert 100 < len(told.operations) < 130
    assert set(told.left_out.values()) == {
        "the schemas before it leave no room for its own: choose with include"
    }


@pytest.mark.parametrize(
    ("schema", "schemas", "why"),
    [
        (ref("Node"), {"Node": {"properties": {"next": ref("Node")}}}, "refers to itself"),
        (ref("a"), {"a": ref("b"), "b": ref("a")}, "refers to itself"),
        (ref("s0"), doubled(40), "too large"),
        ({"enum": ["value"] * 100_000}, {}, "too large"),
        ({"pattern": "a" * 1_000_000}, {}, "too large"),
        (ref("missing"), {}, "not in the document"),
        ({"$ref": "http://169.254.169.254/latest"}, {}, "outside of the document"),
        ({"$ref": "file:///etc/passwd"}, {}, "outside of the document"),
        ({"$dynamicRef": "#x"}, {}, "dynamic"),
        ("text", {}, "no object"),
    ],
)
def test_a_schema_that_loops_explodes_or_leads_outside_costs_its_operation_only(
    schema: Any, schemas: Any, why: str
) -> None:
    assert why in left_out(schema, **schemas)


def test_a_deep_schema_is_refused_and_not_descended_into() -> None:
    deep: Any = {"type": "string"}
    for _ in range(200):
        deep = {"items": deep}
    assert "too large" in left_out(deep)


def test_a_promised_answer_that_loops_is_no_promise() -> None:
    answer = {"content": {"application/json": {"schema": ref("Node")}}}
    paths = {"/a": {"get": GOOD | {"responses": {"200": answer}}}}
    schemas = {"Node": {"type": "object", "properties": {"next": ref("Node")}}}
    [tool] = found(paths, components={"schemas": schemas}).operations.values()
    assert tool.answers is None


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        ({"/../admin": {"get": GOOD}}, "its path is none"),
        ({"/a/%2e%2e/admin": {"get": GOOD}}, "its path is none"),
        ({"//../b": {"get": GOOD}}, "its path is none"),
        ({"@evil.example/a": {"get": GOOD}}, "its path is none"),
        ({"/a?admin=1": {"get": GOOD}}, "its path is none"),
        ({"/a": {"get": GOOD | {"servers": [{"url": "http://evil.example"}]}}}, "another address"),
        ({"/a": {"get": GOOD, "servers": [{"url": "http://evil.example"}]}}, "another address"),
        ({"/a/{b}": {"get": GOOD}}, "do not belong together"),
        (
            {"/a": {"get": GOOD | {"parameters": [{"in": "cookie", "name": "sid", "required": True}]}}},
            "needs a cookie",
        ),
        ({"/a": {"get": GOOD | {"parameters": [{"in": "header", "name": "X\r\nY"}]}}}, "cannot have"),
        ({"/a": {"get": GOOD | {"parameters": [{"$ref": "#/paths/~1a/get/parameters/0"}]}}}, "to itself"),
        ({"/a": {"get": GOOD | {"parameters": [7]}}}, "no object"),
        ({}, "it has none"),
    ],
)
def test_an_operation_that_leads_elsewhere_is_no_tool(paths: Any, why: str) -> None:
    with pytest.raises(Unusable, match=why):
        found(paths)


def test_two_operations_with_one_id_are_not_both_a_tool() -> None:
    both = found({"/a": {"get": GOOD}, "/b": {"get": GOOD}})
    assert next(iter(both.operations.values())).path == "/a"
    assert both.left_out == {"good": "its name is another's too"}


def test_ids_that_would_look_alike_stay_apart() -> None:
    names = ("get pet", "get/pet", "get_pet", "x" * 80)
    paths = {f"/{n}": {"get": GOOD | {"operationId": name}} for n, name in enumerate(names)}
    made = list(found(paths).operations)
    assert len(set(made)) == len(names)
    assert all(len(name) <= 64 and name.replace("_", "").isalnum() for name in made)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"- " * 200_000,
        b"a: &a [x]\nb: [*a, *a]",
        b"!!python/object/apply:os.system [id]",
        b'{"openapi": "2.0"}',
        b"openapi: 3.1.0\x00",
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_document_is_refused_whatever_it_is(raw: bytes) -> None:
    with pytest.raises(Unusable):
        read(raw)


def test_a_document_may_be_yaml() -> None:
    read_one = read(
        b"openapi: 3.0.3\ninfo: {title: t, version: 2020-01-01}\npaths: {/a: {get: {responses: {200: {}}}}}"
    )
    assert (read_one.version, read_one.old) == ("2020-01-01", True)
    assert list(operations(read_one, OpenApi(document="x")).operations) != []


async def hostile(request: Request) -> Response:
    if request.url.path == "/moved":
        return RedirectResponse("http://127.0.0.1:1/openapi.json")
    return Response(b" " * 100_000, media_type="application/json")


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient()
    yield made
    await made.close()


@pytest.mark.parametrize("path", ["/moved", "/large"])
async def test_a_document_is_not_looked_for_elsewhere_and_not_read_without_end(
    client: HttpClient, path: str
) -> None:
    async with serving(Starlette(routes=[Route("/{p}", hostile)])) as url:
        transport = OpenApi(document=url + path, allow=["127.0.0.1"], max_document_bytes=10_000)
        with pytest.raises(UpstreamFault, match=r"307|larger"):
            await Source(transport, client, Path()).read()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/openapi.json",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:10.0.0.1]/x",
        "http://localhost/x",
        "http://user:password@example.com/x",
    ],
)
async def test_a_document_at_an_address_inside_is_not_asked_for(client: HttpClient, url: str) -> None:
    with pytest.raises(UpstreamUnreachable, match="may not be called"):
        await Source(OpenApi(document=url), client, Path()).read()


async def test_an_api_that_its_document_puts_inside_is_not_called(
    opened: Open, tmp_path: Path, one: str
) -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "servers": [{"url": one}],
        "paths": {"/mcp": {"get": GOOD}},
    }
    (tmp_path / "api.json").write_bytes(msgspec.json.encode(document))
    transport = {"type": "openapi", "document": str(tmp_path / "api.json")}
    async with opened({"a": {"transport": transport}}) as gateway:
        heard = await gateway.call("a__good")
        assert "may not be called" in heard.error["message"]


async def test_a_name_that_leads_elsewhere_at_the_second_look_is_not_followed(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer that was looked at is the one that is connected to, and each call looks anew."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["93.184.216.34"] if len(asked) == 1 else ["127.0.0.1"]

    monkeypatch.setattr(egress, "_resolve", rebinding)
    source = Source(OpenApi(document="x"), HttpClient(), tmp_path)
    raw = {"openapi": "3.1.0", "servers": [{"url": "http://rebinding.example/v1"}]}
    address = source.address(read(msgspec.json.encode(raw)))
    first = await source.checked(address)
    assert first is not None
    assert first.ip == "93.184.216.34"
    with pytest.raises(UpstreamUnreachable, match="may not be called"):
        await source.checked(address)
