"""Requests that are held to the service's OpenAPI document: what does not fit never reaches it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from api_gateway.app import SERVICE
from shared.config import load
from tests.api_gateway.fronted import Front, fronted
from tests.api_gateway.scripted import Script
from tests.support.serve import serving

JSON = {"content_type": "application/json"}
BELOW_TEN = {"type": "integer", "maximum": 10, "exclusiveMaximum": True}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "paths": {
        "/items/{id}": {
            "parameters": [{"name": "id", "in": "path", "schema": {"type": "integer", "minimum": 1}}],
            "get": {
                "parameters": [
                    {
                        "name": "limit",
                        "in": "query",
                        "schema": {"type": "integer", "maximum": 10, "exclusiveMaximum": True},
                    },
                    {"name": "tag", "in": "query", "schema": {"type": "array", "items": {"type": "integer"}}},
                    {"name": "X-Mode", "in": "header", "required": True, "schema": {"enum": ["a", "b"]}},
                ]
            },
            "put": {"requestBody": {"$ref": "#/components/requestBodies/Item"}},
        },
        "/items/new": {"get": {}},
        "/files/{name}.txt": {"post": {"requestBody": {"content": {"text/*": {}}}}},
    },
    "components": {
        "requestBodies": {
            "Item": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}},
            }
        },
        "schemas": {
            "Item": {
                "type": "object",
                "required": ["id", "name"],
                "additionalProperties": False,
                "properties": {
                    "id": {"type": "integer", "readOnly": True},
                    "name": {"type": "string", "pattern": "^[a-z]+$", "nullable": True},
                    "parent": {"$ref": "#/components/schemas/Item"},
                },
            }
        },
    },
}


@contextlib.asynccontextmanager
async def described(directory: Path, **rule: Any) -> AsyncIterator[tuple[Script, Front]]:
    script = Script()
    path = directory / "api.yaml"
    path.write_text(yaml.safe_dump(DOCUMENT))
    route = {"strip_prefix": True, "openapi": {"file": str(path), **rule}}
    async with serving(script) as url, fronted(directory, {"urls": [url], **route}) as front:
        yield script, front


async def test_what_fits_goes_on_and_what_does_not_is_told_where(tmp_path: Path) -> None:
    async with described(tmp_path) as (script, front):
        for path, mode, status, said in (
            ("/r0/items/7?limit=9&tag=1&tag=2&other=x", "a", 200, ""),
            ("/r0/items/new", "a", 200, ""),
            ("/r0/items/0", "a", 400, "path parameter id"),
            ("/r0/items/x", "a", 400, "path parameter id"),
            ("/r0/items/7?limit=10", "a", 400, "query parameter limit"),
            ("/r0/items/7?limit=1&limit=2", "a", 400, "query parameter limit: stands more than once"),
            ("/r0/items/7?tag=1&tag=x", "a", 400, "query parameter tag: [1]"),
            ("/r0/items/7", "c", 400, "header parameter x-mode"),
            ("/r0/items", "a", 404, "nothing at this path"),
            ("/r0/items/7/", "a", 404, "nothing at this path"),
        ):
            script.asked.clear()
            answer = await front.ask(path, x_mode=mode)
            assert (answer.status, len(script.asked)) == (status, int(status == 200)), path
            assert not said or said in msgspec.json.decode(answer.body)["detail"]
        missing = await front.ask("/r0/items/7")
        assert b"header parameter x-mode: is missing" in missing.body
        assert (await front.ask("/r0/items/7", method="DELETE")).status == 405


async def test_a_body_is_checked_by_its_schema_and_arrives_as_it_was(tmp_path: Path) -> None:
    async with described(tmp_path) as (script, front):
        whole = b'{ "name": "a", "parent": {"name": null} }'
        assert (await front.ask("/r0/items/7", method="PUT", body=whole, **JSON)).status == 200
        assert script.asked[0].body == whole
        for body, said in (
            (b'{"name": 5}', "body: name: "),
            (b'{"name": "SECRET"}', "body: name: the value"),
            (b'{"parent": {"name": "a", "x": 1}, "name": "a"}', "body: parent: "),
            (b'{"name": "a", "name": "b"}', "stands twice"),
            (b"{", "not valid JSON"),
            (b"[" * 100_000, "not valid JSON"),
            (b"", "body: is missing"),
        ):
            answer = await front.ask("/r0/items/7", method="PUT", body=body, **JSON)
            assert answer.status == 400
            assert said in msgspec.json.decode(answer.body)["detail"]
            assert b"SECRET" not in answer.body
        assert len(script.asked) == 1


async def test_a_body_of_another_kind_does_not_pass_unread(tmp_path: Path) -> None:
    async with described(tmp_path, max_body_bytes=100) as (script, front):
        good = b'{"name": "a"}'
        for headers, body, status in (
            ({}, good, 400),
            ({"content_type": "text/plain"}, good, 400),
            ({**JSON, "content_encoding": "gzip"}, good, 400),
            ({"content_type": 'application/json; Charset="UTF-7"'}, good, 400),
            (JSON, b'{"name": "' + b"a" * 100 + b'"}', 413),
        ):
            answer = await front.ask("/r0/items/7", method="PUT", body=body, **headers)
            assert answer.status == status, headers
        assert not script.asked
        text = {"content_type": "text/plain; charset=utf-8"}
        assert (await front.ask("/r0/files/a.txt", method="POST", body=b"x" * 200, **text)).status == 200
        assert (await front.ask("/r0/files/.txt", method="POST", body=b"x", **text)).status == 404


async def test_undeclared_parameters_can_be_refused(tmp_path: Path) -> None:
    async with described(tmp_path, undeclared_query=False) as (script, front):
        assert (await front.ask("/r0/items/7?limit=1", x_mode="a")).status == 200
        answer = await front.ask("/r0/items/7?limit=1&debug=1", x_mode="a")
        assert (answer.status, b"query parameter debug" in answer.body) == (400, True)
        assert len(script.asked) == 1


def test_a_document_that_cannot_be_used_is_a_problem_before_the_start(tmp_path: Path) -> None:
    route = {"name": "r", "prefix": "/r", "urls": ["http://a"], "openapi": {"file": "missing.yaml"}}
    path = tmp_path / "gatestack.yaml"
    path.write_text(yaml.safe_dump({"api_gateway": {"routes": [route]}}))
    loaded = load(path, "api_gateway", SERVICE.section, SERVICE.problems, {})
    assert SERVICE.file_problems is not None
    assert SERVICE.file_problems(loaded) == [
        "routes[0].openapi.file: cannot be read: No such file or directory"
    ]
