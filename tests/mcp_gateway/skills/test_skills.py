"""Skills as MCP clients and the registry's API see them: what one may know, and what it lacks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp.types import TextContent, TextResourceContents

from shared.catalog_entries import CatalogEntry
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, http, rule, stateless
from tests.mcp_gateway.questions.test_replicas import messages
from tests.support.serve import someone
from tests.support.wait import SECONDS

REFUND = {
    "title": "Refunds",
    "description": "How money goes back to a customer.",
    "instructions": "Look the order up, then pay back.",
    "tools": ["one/echo", "one/gone", "secret/pay"],
    "models": ["small"],
    "owner": "team:billing",
    "labels": ["finance"],
}
PARSER = {"description": "How invoices are read.", "instructions": "Read them twice."}
RULES = [
    rule("user:alice", "tool:one/*"),
    rule("user:alice", "model:small", "list"),
    rule("user:alice", "resource:skills/*", "read"),
    rule("user:alice", "prompt:skills/*", "read"),
    rule("user:bob", "resource:skills/*", "read"),
    rule("user:bob", "resource:skills/skill://refund", "read", eft="deny"),
    rule("user:carol", "prompt:skills/refund", "read"),
]
PATH = "/registry/v0.1/skills"


@pytest.fixture
async def shelf(opened: Open, one: str) -> AsyncIterator[Gateway]:
    servers = {"one": http(one), "skills": {"transport": {"type": "skills"}}}
    async with opened(servers, rules=RULES, skills={"refund": REFUND, "parser": PARSER}) as gateway:
        yield gateway


def published(name: str, version: str, text: dict[str, Any], **more: Any) -> CatalogEntry:
    fields = ("title", "description", "instructions", "tools", "prompts", "models")
    content = {field: text[field] for field in fields if field in text}
    return CatalogEntry(kind="skill", name=name, version=version, content=content, **more)


async def got(gateway: Gateway, path: str = PATH, who: str = "user:alice") -> Any:
    heard = await gateway.send(method="GET", path=path, caller=someone(who))
    return heard.json


async def names(gateway: Gateway, query: str = "", who: str = "user:alice") -> list[str]:
    return [each["skill"]["id"] for each in (await got(gateway, PATH + query, who))["skills"]]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_official_client_finds_and_reads_a_skill(shelf: Gateway, mode: str) -> None:
    async with shelf.client(mode) as client:
        resources = (await client.list_resources()).resources
        assert {"skills+skill://refund", "skills+skill://parser"} <= {str(each.uri) for each in resources}
        [content] = (await client.read_resource("skills+skill://refund")).contents
        assert isinstance(content, TextResourceContents)
        assert content.text.startswith("# Refunds\n\nHow money goes back")
        assert "tool `one/echo` (`one__echo` on the merged endpoint)" in content.text
        prompts = [each.name for each in (await client.list_prompts()).prompts]
        assert "skills__refund" in prompts
        prompt = await client.get_prompt("skills__refund")
        assert prompt.messages[0].content == TextContent(type="text", text=content.text)


async def test_a_skill_tells_what_is_missing_as_far_as_one_may_know(shelf: Gateway) -> None:
    [found] = [each["skill"] for each in (await got(shelf))["skills"] if each["skill"]["id"] == "refund"]
    ready = {need["name"]: need["ready"] for need in found["needs"]}
    assert ready == {"one/echo": True, "one/gone": False, "small": False}
    assert found["complete"] is False
    async with shelf.client("auto", "/servers/skills/mcp") as client:
        [content] = (await client.read_resource("skill://refund")).contents
    assert isinstance(content, TextResourceContents)
    assert "## What is missing\n\n- tool `one/gone`" in content.text
    assert "secret/pay" not in content.text


async def test_a_refused_skill_is_not_read_under_another_name(shelf: Gateway) -> None:
    bob = someone("user:bob")
    await shelf.edge.publish(shelf.service.parts, "catalog", [published("refund", "0.9.0", REFUND)])
    for uri in ("skill://refund", "skill://refund@0.9.0", "skill://refund@", "skill://refund@latest"):
        heard = await shelf.ask("resources/read", {"uri": uri}, path="/servers/skills/mcp", caller=bob)
        assert "error" in heard.json, uri
        assert "pay back" not in heard.body.decode()
    assert await names(shelf, who="user:bob") == ["parser"]
    assert await names(shelf, "?search=refund", who="user:bob") == []
    assert (await got(shelf, PATH + "/refund/versions", "user:bob"))["status"] == 404


async def test_a_prompt_alone_may_be_allowed(shelf: Gateway) -> None:
    carol = someone("user:carol")
    heard = await shelf.ask("prompts/get", {"name": "skills__refund"}, caller=carol)
    assert "pay back" in heard.json["result"]["messages"][0]["content"]["text"]
    assert await names(shelf, who="user:carol") == []


async def test_versions_come_and_go_while_it_runs(shelf: Gateway) -> None:
    newer = REFUND | {"instructions": "Ask first."}
    entries = [published("refund", "1.10.0", newer), published("refund", "1.9.0", REFUND, state="deleted")]
    await shelf.edge.publish(shelf.service.parts, "catalog", entries)
    path = "/servers/skills/mcp"
    heard = await shelf.ask("resources/read", {"uri": "skill://refund"}, path=path)
    assert "Ask first." in heard.json["result"]["contents"][0]["text"]
    heard = await shelf.ask("resources/read", {"uri": "skill://refund@1.0.0"}, path=path)
    assert "pay back" in heard.json["result"]["contents"][0]["text"]
    heard = await shelf.ask("resources/read", {"uri": "skill://refund@1.9.0"}, path=path)
    assert "error" in heard.json
    told = await got(shelf, PATH + "/refund/versions?include_deleted=true")
    latest = {
        each["skill"]["version"]: each["_meta"]["io.modelcontextprotocol.registry/official"]["isLatest"]
        for each in told["skills"]
    }
    assert latest == {"1.10.0": True, "1.9.0": False, "1.0.0": False}
    assert told["skills"][1]["skill"]["instructions"] == ""
    assert len((await got(shelf, PATH + "/refund/versions"))["skills"]) == 2
    assert (await got(shelf, PATH + "/refund/versions/1.9.0"))["status"] == 404
    assert (await got(shelf, PATH + "/refund/versions/latest"))["skill"]["version"] == "1.10.0"


async def test_skills_are_found_by_words_and_by_meaning(shelf: Gateway) -> None:
    assert (await names(shelf, "?search=customers"))[0] == "refund"
    assert (await names(shelf, "?search=cash%20for%20the%20client"))[0] == "refund"
    assert await names(shelf, "?search=zzzz") == []


async def test_a_list_of_skills_is_an_entry(shelf: Gateway) -> None:
    await got(shelf)
    row = await shelf.service.row()
    assert (row.resource, row.action, row.outcome) == ("skill:*", "list", "completed")


async def test_who_listens_hears_of_a_new_skill(shelf: Gateway) -> None:
    body, headers = stateless("subscriptions/listen", {"notifications": {"resourcesListChanged": True}})
    listen = body | {"id": "mine"}
    async with (
        await shelf.open(listen, headers=headers, path="/servers/skills/mcp") as reply,
        contextlib.aclosing(messages(reply)) as said,
    ):
        assert (await anext(said))["method"] == "notifications/subscriptions/acknowledged"
        await shelf.edge.publish(shelf.service.parts, "catalog", [published("new", "1.0.0", PARSER)])
        heard = await asyncio.wait_for(anext(said), SECONDS)
        assert heard["method"] == "notifications/resources/list_changed"
    listed = (await shelf.ask("resources/list", path="/servers/skills/mcp")).json["result"]["resources"]
    assert "skill://new" in [each["uri"] for each in listed]
