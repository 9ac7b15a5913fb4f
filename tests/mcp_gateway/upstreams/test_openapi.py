"""A real REST service, called through the gateway by the official client as if it were an MCP server."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp import Client
from starlette.responses import JSONResponse

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway
from tests.support.rest_api import PNG, Pets
from tests.support.serve import serving
from tests.support.wait import eventually

PATH = "/servers/pets/mcp"
SECRET = {"TOKEN": "s3cret-token"}


@pytest.fixture
async def pets() -> AsyncIterator[tuple[Pets, str]]:
    service = Pets()
    async with serving(service.app) as url:
        yield service, url


def section(url: str, **more: Any) -> dict[str, Any]:
    transport = {
        "type": "openapi",
        "document": f"{url}/openapi.json",
        "url": url,
        "allow": ["127.0.0.1"],
        "headers": {"authorization": "${TOKEN}"},
    }
    return {"pets": {"transport": transport | more}}


@pytest.fixture
async def api(opened: Open, pets: tuple[Pets, str]) -> AsyncIterator[Gateway]:
    async with opened(section(pets[1]), environ=SECRET) as gateway:
        yield gateway


async def called(client: Client, tool: str, **arguments: Any) -> Any:
    return (await client.call_tool(tool, arguments)).model_dump(by_alias=True, exclude_none=True, mode="json")


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_operations_are_tools_to_the_official_client(
    api: Gateway, pets: tuple[Pets, str], mode: str
) -> None:
    service, _ = pets
    async with api.client(mode, PATH) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"listPets", "createPet", "getPet", "putPet", "deletePet", "getPhoto", "say"}
        found = await called(client, "listPets", limit=2, tags=["a", "c"], filter={"of": "x&y"})
        assert found["structuredContent"] == {"result": [{"id": 1, "name": "rex", "tag": None}]}
        assert service.seen[-1]["target"] == "/pets?limit=2&tags=a,c&filter%5Bof%5D=x%26y"
        found = await called(client, "createPet", body={"name": "rex", "tag": None})
        assert found["structuredContent"] == {"id": 1, "name": "rex", "tag": None}
        assert service.seen[-1]["body"] == '{"name":"rex","tag":null}'
        found = await called(client, "getPet", petId="a b?c#d%2e")
        assert service.seen[-1]["target"] == "/pets/a%20b%3Fc%23d%252e"
        await called(client, "putPet", petId="1", body={"name": "a&b=c", "tag": "t"})
        assert service.seen[-1]["body"] == "name=a%26b%3Dc&tag=t"
        found = await called(client, "deletePet", petId="1")
        assert found["content"][0]["text"] == "HTTP 204, and nothing more"
        found = await called(client, "getPhoto", petId="1")
        assert found["content"][0] == {
            "type": "image",
            "data": base64.b64encode(PNG).decode(),
            "mimeType": "image/png",
        }
    assert {dict(each["headers"])["authorization"] for each in service.seen} == {SECRET["TOKEN"]}


async def test_methods_are_told_as_annotations(api: Gateway) -> None:
    heard = await api.ask("tools/list", path=PATH)
    hints = {tool["name"]: tool.get("annotations", {}) for tool in heard.json["result"]["tools"]}
    assert hints["getPet"]["readOnlyHint"]
    assert hints["deletePet"]["destructiveHint"]
    assert hints["putPet"]["idempotentHint"]
    assert hints["createPet"] == {}


async def test_what_the_api_says_is_a_result_or_an_error_that_can_be_read(api: Gateway) -> None:
    async def said(kind: str) -> tuple[bool, str]:
        result = (await api.call("say", {"kind": kind}, path=PATH)).json["result"]
        return result.get("isError", False), str(result["content"][0].get("text"))

    assert await said("missing") == (True, 'HTTP 404: {"error":"no such pet"}')
    failed, text = await said("broken")
    assert failed
    assert text.startswith("HTTP 500: xxx")
    assert len(text) < 17_000
    assert await said("text") == (False, "plain words")
    assert await said("secret") == (False, "you sent [credential]")
    assert (await said("denied"))[1].startswith("HTTP 401: the API did not accept")
    assert (await said("moved"))[1].endswith("redirects are not followed")
    for kind in ("garbage", "packed"):
        assert (await api.call("say", {"kind": kind}, path=PATH)).error["code"] == -32014


async def test_what_is_neither_text_nor_json_is_a_resource(api: Gateway) -> None:
    heard = await api.call("say", {"kind": "zip"}, path=PATH)
    assert heard.json["result"]["content"][0]["resource"] == {
        "uri": "answer:say",
        "mimeType": "application/zip",
        "blob": "UEsDBA==",
    }


async def test_an_answer_that_is_not_what_was_promised_is_an_error_with_the_answer(
    api: Gateway, pets: tuple[Pets, str]
) -> None:
    pets[0].answer = JSONResponse({"id": "seven"})
    result = (await api.call("getPet", {"petId": "7"}, path=PATH)).json["result"]
    assert result["isError"]
    assert [block["text"] for block in result["content"]][1] == '{"id":"seven"}'


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"include": ["read"]}, {"listPets", "getPet"}),
        ({"include": ["get*"], "exclude": ["getPhoto"]}, {"getPet"}),
        ({"exclude": ["write", "read", "say"]}, {"getPhoto"}),
    ],
)
async def test_operations_are_chosen_by_id_and_tag(
    opened: Open, pets: tuple[Pets, str], choice: Any, names: set[str]
) -> None:
    async with opened(section(pets[1], **choice), environ=SECRET) as gateway:
        assert set(await gateway.tools(path=PATH)) == names
        assert (await gateway.call("deletePet", {"petId": "1"}, path=PATH)).error["code"] == -32602
    assert pets[0].seen == []


async def test_a_credential_in_the_query_is_the_operators_alone(opened: Open, pets: tuple[Pets, str]) -> None:
    own = section(pets[1], headers={}, query={"limit": "${TOKEN}"})
    async with opened(own, environ=SECRET) as gateway:
        heard = await gateway.call("listPets", {"limit": 3}, path=PATH)
        assert "limit" in heard.error["message"]
        await gateway.call("listPets", path=PATH)
    assert pets[0].seen[-1]["target"] == "/pets?limit=s3cret-token"


async def test_a_document_that_changes_is_read_again_and_its_tools_are_judged_anew(
    opened: Open, pets: tuple[Pets, str]
) -> None:
    service, url = pets
    async with opened(section(url), environ=SECRET, catalog_seconds=0.01) as gateway:
        assert "getPet" in await gateway.tools(path=PATH)
        service.document["paths"]["/pets/{petId}"]["get"]["summary"] = "Now something else."

        async def held() -> bool:
            return "getPet" not in await gateway.tools(path=PATH)

        await eventually(held)
        assert "listPets" in await gateway.tools(path=PATH)
