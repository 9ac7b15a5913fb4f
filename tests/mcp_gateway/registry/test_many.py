"""A large catalog, servers that do not answer, rules about the chain: lists come all the same."""

from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer

from shared.catalog_entries import CatalogEntry
from shared.limits.limiter import Limiter
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import http, rule
from tests.support.serve import serving, someone

PATH = "/registry/v0.1"
CONTENT = {"description": "Something."}


def entries(count: int) -> list[CatalogEntry]:
    servers = [
        CatalogEntry(kind="server", name=f"com.example/s{n:04}", version="1.0.0", content=CONTENT)
        for n in range(count)
    ]
    text = {"description": "It does.", "instructions": "Do it.", "tools": ["one/echo"]}
    return servers + [
        CatalogEntry(kind="skill", name=f"s{n:04}", version="1.0.0", content=text) for n in range(count)
    ]


async def test_the_chain_is_looked_up_once_for_a_whole_list(
    opened: Open, one: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    state = Limiter.state

    async def counted(self: Limiter, tenant: str, chain: str) -> Any:
        asked.append(chain)
        return await state(self, tenant, chain)

    monkeypatch.setattr(Limiter, "state", counted)
    rules = [rule("user:alice", "*", cond='"bad" not in taint')]
    async with opened({"one": http(one)}, rules=rules) as gateway:
        await gateway.edge.publish(gateway.service.parts, "catalog", entries(60))
        for kind, most in (("servers", 2), ("skills", 3)):
            asked.clear()
            heard = await gateway.send(method="GET", path=f"{PATH}/{kind}?limit=50", caller=someone())
            assert heard.json["metadata"]["count"] == 50
            assert len(asked) <= most


async def test_a_server_that_is_gone_is_still_told_of(opened: Open, one: str) -> None:
    away = {"transport": {"type": "http", "url": "http://127.0.0.1:9/mcp"}, "about": {"version": "3.1.0"}}
    async with opened({"one": http(one), "away": away}) as gateway:
        found = (await gateway.send(method="GET", path=f"{PATH}/servers")).json["servers"]
    versions = {each["server"]["name"].partition("/")[2]: each["server"]["version"] for each in found}
    assert versions["away"] == "3.1.0"
    assert "one" in versions


@pytest.mark.parametrize(
    ("title", "version", "told"),
    [
        ("Git", "1.2.0", ("Git", "1.2.0")),
        ("Git\u200b", "latest", ("", "0.0.0")),
        ("G" * 101, "1/../2", ("", "0.0.0")),
    ],
)
async def test_what_a_server_says_of_itself_is_told_as_far_as_it_can_be_shown(
    opened: Open, title: str, version: str, told: tuple[str, str]
) -> None:
    server = MCPServer("git", title=title, version=version, log_level="ERROR")
    async with serving(server.streamable_http_app()) as url, opened({"git": http(url)}) as gateway:
        [found] = (await gateway.send(method="GET", path=f"{PATH}/servers")).json["servers"]
    assert (found["server"].get("title", ""), found["server"]["version"]) == told
