"""The small surface: three tools instead of many, and nothing through them that could not be had without."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, Heard, http, rule
from tests.support.mcp_rogue import Rogue
from tests.support.mcp_shifting import Shifting, tool
from tests.support.serve import serving, someone

SEARCH = "/mcp?surface=search"
THREE = ["search_tools", "describe_tool", "call_tool"]


@pytest.fixture
async def many() -> AsyncIterator[str]:
    tools = [tool(f"report_{n}", f"Makes the report number {n}.") for n in range(60)]
    async with serving(Shifting(*tools, tool("secret_report", "Makes the secret report."))) as url:
        yield url


def _found(heard: Heard) -> list[str]:
    result = heard.json["result"]
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    return [tool["name"] for tool in result["structuredContent"]["tools"]]


async def _search(gateway: Gateway, query: str, path: str = SEARCH, **more: Any) -> list[str]:
    limit = {"limit": more.pop("limit")} if "limit" in more else {}
    return _found(await gateway.call("search_tools", {"query": query, **limit}, path=path, **more))


async def test_who_asks_for_it_sees_three_tools_and_finds_the_others(
    opened: Open, one: str, many: str
) -> None:
    async with opened({"one": http(one), "many": http(many)}) as gateway:
        assert await gateway.tools(path=SEARCH) == THREE
        assert len(await gateway.tools(path="/mcp?surface=full")) > 60
        assert (await _search(gateway, "add two numbers"))[0] == "one__add"
        assert len(await _search(gateway, "report")) == 8
        assert len(await _search(gateway, "report", limit=3)) == 3
        heard = await gateway.call("describe_tool", {"name": "one__add"}, path=SEARCH)
        described = heard.json["result"]["structuredContent"]["tool"]
        assert (described["name"], set(described["inputSchema"]["properties"])) == ("one__add", {"a", "b"})
        arguments = {"name": "one__add", "arguments": {"a": 2, "b": 40}}
        called = await gateway.call("call_tool", arguments, path=SEARCH)
        assert called.json["result"]["structuredContent"] == {"result": 42}


async def test_what_is_called_is_what_is_recorded_and_limited(opened: Open, one: str) -> None:
    limits = [{"name": "few", "per": "tool", "unit": "tool_calls", "amount": 1, "window": "month"}]
    async with opened({"one": http(one)}, limits=limits) as gateway:
        arguments = {"name": "one__echo", "arguments": {"text": "x"}}
        assert (await gateway.call("call_tool", arguments, path=SEARCH)).text == "one: x"
        assert (await gateway.call("call_tool", arguments, path=SEARCH)).error["code"] == -32013
        rows = [row for row in await gateway.service.rows(2) if row.tool]
        assert [(row.tool, row.resource) for row in rows] == [("one/echo", "tool:one/echo")] * 2
        await gateway.edge.kill(gateway.service.parts, tool="one/echo")
        assert (await gateway.call("call_tool", arguments, path=SEARCH)).error["code"] == -32012


async def test_nothing_is_found_described_or_called_that_policy_refuses(
    opened: Open, one: str, many: str
) -> None:
    rules = [
        rule(obj="tool:one/echo", act="invoke"),
        rule(obj="tool:many/*", act="invoke"),
        rule(obj="tool:many/secret_report", eft="deny"),
        rule(obj="tool:one/add", act="invoke", cond="args.a < 10"),
    ]
    async with opened({"one": http(one), "many": http(many)}, rules=rules) as gateway:
        assert "many__secret_report" not in await _search(gateway, "secret report", limit=50)
        refused = await gateway.call("describe_tool", {"name": "many__secret_report"}, path=SEARCH)
        unknown = await gateway.call("describe_tool", {"name": "many__zzz"}, path=SEARCH)
        assert refused.error["message"].replace("secret_report", "zzz") == unknown.error["message"]
        for name in ("many__secret_report", "many__zzz", "search_tools", "call_tool"):
            heard = await gateway.call("call_tool", {"name": name}, path=SEARCH)
            assert (heard.status, heard.error["message"]) == (400, f"there is no tool {name!r}")
        for a, code in ((2, None), (20, -32602)):
            arguments = {"name": "one__add", "arguments": {"a": a, "b": 1}}
            heard = await gateway.call("call_tool", arguments, path=SEARCH)
            assert heard.json.get("error", {}).get("code") == code


async def test_arguments_are_checked_against_the_inner_tools_schema(opened: Open, one: str) -> None:
    async with opened({"one": http(one)}) as gateway:
        arguments = {"name": "one__add", "arguments": {"a": "two"}}
        heard = await gateway.call("call_tool", arguments, path=SEARCH)
        assert "arguments" in heard.error["message"]
        assert heard.error["code"] == -32602


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("search_tools", {}),
        ("search_tools", {"query": ""}),
        ("search_tools", {"query": 7}),
        ("search_tools", {"query": "x" * 2_000}),
        ("search_tools", {"query": "x", "limit": 0}),
        ("search_tools", {"query": "x", "limit": "many"}),
        ("describe_tool", {}),
        ("describe_tool", {"name": ["one__add"]}),
        ("call_tool", {}),
        ("call_tool", {"name": ""}),
        ("call_tool", {"name": {"a": 1}}),
        ("call_tool", {"name": "one__add", "arguments": [1]}),
        ("call_tool", {"name": "x" * 3_000}),
    ],
)
async def test_what_the_three_do_not_take_is_said(plain: Gateway, name: str, arguments: Any) -> None:
    heard = await plain.call(name, arguments, path=SEARCH)
    assert (heard.status, heard.error["code"]) == (400, -32602)


async def test_teams_get_it_by_configuration_and_others_do_not(opened: Open, one: str) -> None:
    async with opened({"one": http(one)}, search={"teams": ["support"]}) as gateway:
        assert await gateway.tools() == THREE
        assert "one__echo" in await gateway.tools(path="/mcp?surface=full")
        assert "echo" in await gateway.tools(path="/servers/one/mcp")
        assert "one__echo" in await gateway.tools(caller=someone(team="other"))
        assert (await gateway.ask("tools/list", path="/mcp?surface=tiny")).status == 400


async def test_a_catalog_can_be_searched_and_nothing_beside_it(opened: Open, one: str, many: str) -> None:
    curated = {"include": ["many/report_1*"], "tools": {"many/report_1": {"name": "first"}}, "search": True}
    servers = {"one": http(one), "many": http(many)}
    async with opened(servers, catalogs={"c": curated}) as gateway:
        path = "/catalogs/c/mcp"
        assert await gateway.tools(path=path) == THREE
        found = await _search(gateway, "makes the report number 1", path, limit=50)
        assert "first" in found
        assert len(found) == 11
        assert await _search(gateway, "say what it was told", path) == []
        assert (await gateway.call("call_tool", {"name": "first"}, path=path)).text == "fine"
        arguments = {"name": "one__echo", "arguments": {"text": "x"}}
        assert (await gateway.call("call_tool", arguments, path=path)).error["code"] == -32602


async def test_a_mirrored_argument_need_not_be_repeated_by_who_cannot_know_it(
    opened: Open, rogue: tuple[Rogue, str]
) -> None:
    server, url = rogue
    async with opened({"r": http(url)}) as gateway:
        arguments = {"name": "r__mirrored", "arguments": {"region": "eu"}}
        assert (await gateway.call("call_tool", arguments, path=SEARCH)).text == "fine"
        assert server.headers[-1]["mcp-param-region"] == "eu"
        assert server.headers[-1]["mcp-name"] == "mirrored"


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_official_client_finds_and_calls(opened: Open, one: str, many: str, mode: str) -> None:
    servers = {"one": http(one), "many": http(many)}
    async with opened(servers) as gateway, gateway.client(mode, SEARCH) as client:
        assert [each.name for each in (await client.list_tools()).tools] == THREE
        found = await client.call_tool("search_tools", {"query": "say what it was told"})
        assert found.structured_content is not None
        name = found.structured_content["tools"][0]["name"]
        assert name == "one__echo"
        result = await client.call_tool("call_tool", {"name": name, "arguments": {"text": "hi"}})
        assert result.content[0].text == "one: hi"  # type: ignore[union-attr]
