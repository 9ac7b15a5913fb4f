"""Curated catalogs: what is in them, what it is called there, and that nothing else can be reached through
them.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mcp_gateway.app import SERVICE
from mcp_gateway.config import Section, problems
from shared.config import ConfigProblems, load
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, Heard, http, rule
from tests.support.serve import Edge, running, someone

READING = "/catalogs/reading/mcp"
CURATED = {
    "include": ["one/*", "two/echo"],
    "exclude": ["one/fail*"],
    "tools": {"one/add": {"name": "plus", "description": "Sums up."}},
    "instructions": "Only for reading.",
}


async def _tools(gateway: Gateway, path: str = READING, **more: Any) -> dict[str, Any]:
    found = await gateway.ask("tools/list", path=path, **more)
    return {tool["name"]: tool for tool in found.json["result"]["tools"]}


def _same(heard: Heard) -> tuple[Any, ...]:
    return heard.status, heard.error["code"], heard.error["data"]["reason"]


async def test_a_catalog_has_what_its_patterns_say_and_calls_it_as_told(
    opened: Open, one: str, two: str
) -> None:
    servers = {"one": http(one), "two": http(two)}
    async with opened(servers, catalogs={"reading": CURATED}) as gateway:
        tools = await _tools(gateway)
        assert {"plus", "one__echo", "two__echo"} <= set(tools)
        assert not {"one__add", "one__failing", "two__add"} & set(tools)
        assert tools["plus"]["description"] == "Sums up."
        heard = await gateway.call("plus", {"a": 2, "b": 3}, path=READING)
        assert heard.json["result"]["structuredContent"] == {"result": 5}
        assert (await gateway.call("two__echo", {"text": "x"}, path=READING)).text == "two: x"
        row = next(row for row in await gateway.service.rows(1) if row.tool == "one/add")
        assert row.resource == "tool:one/add"


@pytest.mark.parametrize("name", ["one__add", "one__failing", "two__add", "zzz__add", "zzz", "add"])
async def test_what_is_not_in_a_catalog_does_not_exist_there(
    opened: Open, one: str, two: str, name: str
) -> None:
    servers = {"one": http(one), "two": http(two)}
    async with opened(servers, catalogs={"reading": CURATED}) as gateway:
        heard = await gateway.call(name, {"a": 1, "b": 1}, path=READING)
        assert (heard.status, heard.error["message"]) == (400, f"there is no tool {name!r}")


async def test_prompts_and_resources_are_in_it_too(opened: Open, one: str, two: str) -> None:
    servers = {"one": http(one), "two": http(two)}
    async with opened(servers, catalogs={"reading": CURATED}) as gateway:
        prompts = (await gateway.ask("prompts/list", path=READING)).json["result"]["prompts"]
        assert [prompt["name"] for prompt in prompts] == ["one__greet"]
        read = await gateway.ask("resources/read", {"uri": "one+note://of/may"}, path=READING)
        assert read.json["result"]["contents"][0]["uri"] == "one+note://of/may"
        foreign = await gateway.ask("resources/read", {"uri": "two+note://of/may"}, path=READING)
        assert foreign.error["code"] == -32602


async def test_a_catalog_can_be_made_of_labels(opened: Open, one: str, two: str) -> None:
    servers = {
        "one": http(one) | {"tools": {"echo": {"labels": ["safe"]}}},
        "two": http(two) | {"labels": ["other"]},
    }
    async with opened(servers, catalogs={"safe": {"labels": ["safe"]}}) as gateway:
        assert list(await _tools(gateway, "/catalogs/safe/mcp")) == ["one__echo"]


async def test_what_policy_groups_under_its_name_is_in_it_and_may_be_granted_so(
    tmp_path: Path, valkey: Any, redis: Any, one: str, two: str
) -> None:
    config = {
        "mcp_gateway": {
            "servers": {"one": http(one), "two": http(two)},
            "catalogs": {"reading": {}, "empty": {}},
        },
        "policy": {
            "rules": [rule(sub="team:support", obj="catalog:reading", act="*")],
            "groups": [{"resource": "tool:one/echo", "catalog": "catalog:reading"}],
        },
    }
    edge = Edge(tmp_path)
    async with running(SERVICE, config, tmp_path, edge=edge, redis=valkey.url) as service:
        from_edge = Gateway(edge, service, service.parts.http)
        assert list(await _tools(from_edge)) == ["one__echo"]
        assert (await from_edge.ask("tools/list", path="/catalogs/empty/mcp")).status == 404
        stranger = someone("user:bob", team="other")
        assert (await from_edge.ask("tools/list", path=READING, caller=stranger)).status == 404


async def test_the_catalogs_an_item_is_in_are_labels_for_policy(opened: Open, one: str, two: str) -> None:
    servers = {"one": http(one), "two": http(two)}
    rules = [rule(obj="tool:*", act="invoke", cond="'catalog:reading' in labels")]
    async with opened(servers, rules=rules, catalogs={"reading": CURATED}) as gateway:
        assert "two__add" not in await gateway.tools()
        assert (await gateway.call("two__echo", {"text": "x"})).text == "two: x"
        assert (await gateway.call("two__add", {"a": 1, "b": 1})).error["code"] == -32602
        [row] = [row for row in await gateway.service.rows(1) if row.tool == "two/echo"]
        assert row.outcome == "completed"


async def test_to_be_in_a_catalog_taints_nothing(opened: Open, one: str, two: str) -> None:
    servers = {"one": http(one), "two": http(two)}
    rules = [rule(obj="tool:*", cond="len(taint) == 0")]
    async with opened(servers, rules=rules, catalogs={"reading": CURATED}) as gateway:
        chain = someone()
        for _ in range(2):
            assert (await gateway.call("one__echo", {"text": "x"}, caller=chain)).text == "one: x"


async def test_a_catalog_nobody_may_use_is_not_there(opened: Open, one: str) -> None:
    rules = [rule(obj="tool:one/add", act="invoke")]
    catalogs = {"reading": {"include": ["one/echo"]}, "sums": {"include": ["one/add"]}}
    async with opened({"one": http(one)}, rules=rules, catalogs=catalogs) as gateway:
        hidden = await gateway.ask("server/discover", path=READING)
        unknown = await gateway.ask("server/discover", path="/catalogs/zzz/mcp")
        assert _same(hidden) == _same(unknown)
        assert hidden.status == 404
        assert (await gateway.ask("server/discover", path="/catalogs/sums/mcp")).status == 200


async def test_a_session_of_one_catalog_is_none_of_another(opened: Open, one: str) -> None:
    catalogs = {"reading": {"include": ["one/*"]}, "other": {"include": ["one/*"]}}
    async with opened({"one": http(one)}, catalogs=catalogs) as gateway:
        talk = await gateway.begin(path=READING)
        assert (await talk.call("one__echo", {"text": "x"})).text == "one: x"
        for path in ("/catalogs/other/mcp", "/mcp", "/servers/one/mcp"):
            assert (await talk.ask("tools/list", path=path)).status == 404


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_official_client_works_with_a_catalog(opened: Open, one: str, mode: str) -> None:
    async with (
        opened({"one": http(one)}, catalogs={"reading": CURATED}) as gateway,
        gateway.client(mode, READING) as client,
    ):
        tools = [tool.name for tool in (await client.list_tools()).tools]
        assert "plus" in tools
        result = await client.call_tool("plus", {"a": 20, "b": 22})
        assert result.structured_content == {"result": 42}
        assert client.instructions == "Only for reading."


@pytest.mark.parametrize(
    ("curated", "problem"),
    [
        ({"include": ["one"]}, "catalogs.c.include[0]: "),
        ({"tools": {"zzz/add": {"name": "x"}}}, "catalogs.c.tools.zzz/add: "),
        ({"tools": {"one/add": {"name": "has blanks"}}}, "catalogs.c.tools.one/add.name: "),
        ({"tools": {"one/add": {"name": "two__echo"}}}, "reads like a tool of another name"),
        ({"tools": {"one/add": {"name": "call_tool"}}}, "the gateway's own"),
        ({"tools": {"one/add": {"name": "x"}, "two/add": {"name": "x"}}}, "is called 'x' too"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, curated: Any, problem: str) -> None:
    section = {"servers": {"one": http("http://x"), "two": http("http://y")}, "catalogs": {"c": curated}}
    path = tmp_path / "gatestack.yaml"
    path.write_text(yaml.safe_dump({"mcp_gateway": section}))
    with pytest.raises(ConfigProblems) as found:
        load(path, "mcp_gateway", Section, problems, {})
    assert [text for text in found.value.problems if problem in text], found.value.problems
