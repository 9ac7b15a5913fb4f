"""The registry's read API over configured and published servers, in the official registry's shapes."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from shared.catalog_entries import CatalogEntry
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, Heard, http, rule
from tests.support.serve import someone

PATH = "/registry/v0.1/servers"
OFFICIAL, OURS = "io.modelcontextprotocol.registry/official", "gatestack/registry"
HOUR = 3_600_000_000
RULES = [
    rule("user:alice", "tool:*"),
    rule("user:bob", "tool:two/*", "list"),
    rule("user:carol", "tool:com.example/*", "list"),
]


@pytest.fixture
async def gate(opened: Open, one: str, two: str) -> AsyncIterator[Gateway]:
    about = {"owner": "team:dev", "version": "2.0.0", "state": "deprecated", "description": "The first."}
    servers = {"one": {**http(one), "about": about, "labels": ["reads:private"]}, "two": http(two)}
    async with opened(servers, rules=RULES, public_url="https://edge.example") as gateway:
        yield gateway


def published(name: str, version: str = "1.0.0", *, at: int = HOUR, **more: Any) -> CatalogEntry:
    content: dict[str, Any] = {"name": name, "version": version, "description": "Something."}
    content |= {
        "remotes": [{"type": "sse", "url": "https://elsewhere.example/sse"}],
        "websiteUrl": "https://a.b",
    }
    return CatalogEntry(
        kind="server", name=name, version=version, content=content, published_at=at, updated_at=at, **more
    )


async def get(gateway: Gateway, path: str = PATH, who: str = "user:alice", **more: Any) -> Heard:
    return await gateway.send(method="GET", path=path, caller=someone(who), **more)


async def names(gateway: Gateway, query: str = "", who: str = "user:alice") -> list[str]:
    found = (await get(gateway, PATH + query, who)).json
    assert found["metadata"]["count"] == len(found["servers"])
    return [f"{each['server']['name']} {each['server']['version']}" for each in found["servers"]]


async def test_a_configured_server_is_told_of_and_reached_at_the_edge(gate: Gateway) -> None:
    heard = await get(gate)
    first = next(each for each in heard.json["servers"] if each["server"]["name"].endswith("/one"))
    assert first["server"]["name"] == "internal.gatestack/one"
    assert first["server"]["description"] == "The first."
    remote = {"type": "streamable-http", "url": "https://edge.example/servers/one/mcp"}
    assert first["server"]["remotes"] == [remote]
    official = first["_meta"][OFFICIAL]
    assert (official["status"], official["isLatest"]) == ("deprecated", True)
    assert official["publishedAt"].endswith("Z")
    own = first["_meta"][OURS]
    assert (own["owner"], own["callable"], own["labels"]) == ("team:dev", True, ["reads:private"])


async def test_nobody_sees_what_they_may_not_use_or_list(gate: Gateway) -> None:
    await gate.edge.publish(gate.service.parts, "catalog", [published("com.example/git")])
    assert [name.split()[0] for name in await names(gate, who="user:bob")] == ["internal.gatestack/two"]
    assert await names(gate, who="user:carol") == ["com.example/git 1.0.0"]
    assert await names(gate, who="user:dave") == []
    foreign = await get(gate, f"{PATH}/internal.gatestack%2Fone/versions", "user:bob")
    missing = await get(gate, f"{PATH}/internal.gatestack%2Fnone/versions", "user:bob")
    assert foreign.status == missing.status == 404
    assert foreign.json["detail"].replace("one", "none") == missing.json["detail"]
    assert (await gate.send(method="GET", path=PATH, identity=False)).status == 401


async def test_lists_are_read_page_by_page_without_gap_or_repeat(gate: Gateway) -> None:
    entries = [published(f"com.example/s{n}", v) for n in range(7) for v in ("1.0.0", "1.10.0", "1.9.0")]
    await gate.edge.publish(gate.service.parts, "catalog", entries)
    every, cursor = list[str](), ""
    while True:
        query = f"?limit=4&cursor={quote(cursor)}" if cursor else "?limit=4"
        found = (await get(gate, PATH + query)).json
        every += [f"{each['server']['name']} {each['server']['version']}" for each in found["servers"]]
        cursor = found["metadata"].get("nextCursor", "")
        if not cursor:
            break
    assert len(every) == len(set(every)) == 23
    assert every[:3] == [f"com.example/s0 {version}" for version in ("1.10.0", "1.9.0", "1.0.0")]
    await gate.edge.publish(gate.service.parts, "catalog", entries[3:])
    assert (await names(gate, "?limit=1&cursor=com.example/s0:1.9.0")) == ["com.example/s1 1.10.0"]


async def test_lists_are_narrowed(gate: Gateway) -> None:
    entries = [
        published("com.example/Git", "1.0.0"),
        published("com.example/Git", "1.1.0", at=3 * HOUR, state="deleted"),
        published("com.example/fetch", "1.0.0", state="imported", source="https://registry.example/v0.1"),
    ]
    await gate.edge.publish(gate.service.parts, "catalog", entries)
    assert await names(gate, "?search=gIT") == ["com.example/Git 1.0.0"]
    assert await names(gate, "?search=git&include_deleted=true&version=latest") == ["com.example/Git 1.0.0"]
    assert await names(gate, "?search=com.example&updated_since=1970-01-01T02:00:00Z") == [
        "com.example/Git 1.1.0"
    ]
    assert await names(gate, "?search=com.example&updated_since=1970-01-01T04:00:00%2B00:00") == []
    [fetch] = (await get(gate, PATH + "?search=fetch")).json["servers"]
    assert fetch["_meta"][OFFICIAL]["status"] == "active"
    assert fetch["_meta"][OURS]["state"] == "imported"
    assert fetch["_meta"][OURS]["callable"] is False


async def test_what_was_thrown_away_for_what_it_hides_is_gone_without_it(gate: Gateway) -> None:
    poison = published("com.example/x", state="deleted", findings=("hidden:tag",), owner="poison")
    poison.content["description"] = "poison"
    removed = msgspec.structs.replace(published("com.example/y", state="deleted"), content={})
    await gate.edge.publish(gate.service.parts, "catalog", [poison, removed])
    heard = await get(gate, PATH + "?search=com.example&include_deleted=true")
    [told] = heard.json["servers"]
    assert told["server"] == {"name": "com.example/x", "version": "1.0.0", "description": "Taken back."}
    assert told["_meta"][OFFICIAL]["status"] == "deleted"
    assert "poison" not in str(heard.json)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=²", "updated_since=yesterday"])
async def test_what_cannot_be_asked_is_refused(gate: Gateway, query: str) -> None:
    assert (await get(gate, f"{PATH}?{quote(query, safe='=')}")).status == 400


async def test_versions_are_told_one_by_one(gate: Gateway) -> None:
    entries = [published("com.example/git", version) for version in ("1.0.0", "2.0.0-rc.1")]
    await gate.edge.publish(gate.service.parts, "catalog", entries)
    path = f"{PATH}/com.example%2Fgit/versions"
    found = (await get(gate, path)).json["servers"]
    assert [each["server"]["version"] for each in found] == ["2.0.0-rc.1", "1.0.0"]
    assert (await get(gate, path + "/latest")).json == found[0]
    assert (await get(gate, path + "/1.0.0")).json == found[1]
    assert (await get(gate, f"{PATH}/com.example/git/versions/1.0.0")).json == found[1]
    assert (await get(gate, path + "/9.9.9")).status == 404


async def test_a_published_server_that_is_configured_is_reached_here(opened: Open, one: str) -> None:
    servers = {"one": {**http(one), "about": {"name": "com.example/git"}}}
    async with opened(servers, public_url="https://edge.example") as gateway:
        entries = [published("com.example/git", version) for version in ("1.0.0", "1.1.0")]
        await gateway.edge.publish(gateway.service.parts, "catalog", entries)
        [found] = (await get(gateway)).json["servers"]
    assert found["server"]["version"] == "1.1.0"
    assert found["server"]["websiteUrl"] == "https://a.b"
    assert found["server"]["remotes"][0]["url"] == "https://edge.example/servers/one/mcp"


@pytest.mark.parametrize("name", ["Com.Example/Git", "internal.gatestack/two"])
async def test_nothing_that_is_published_passes_for_a_configured_server(
    opened: Open, one: str, two: str, name: str
) -> None:
    servers = {"one": {**http(one), "about": {"name": "com.example/git"}}, "two": http(two)}
    async with opened(servers) as gateway:
        await gateway.edge.publish(gateway.service.parts, "catalog", [published(name, "99.0.0")])
        assert not [each for each in await names(gateway) if "99.0.0" in each]


async def test_an_answer_is_the_callers_alone_and_validated(gate: Gateway) -> None:
    heard = await get(gate)
    assert heard.headers["cache-control"] == "private, no-cache"
    etag = heard.headers["etag"]
    again = await get(gate, headers={"if-none-match": etag})
    assert (again.status, again.body) == (304, b"")
    other = await get(gate, who="user:bob", headers={"if-none-match": etag})
    assert other.status == 200


async def test_the_registry_is_only_read_here(gate: Gateway) -> None:
    assert (await gate.send(b"{}", path=PATH)).status == 405
    assert (await get(gate, "/registry/v0.1/agents")).status == 404


async def test_a_killed_caller_reads_nothing(gate: Gateway) -> None:
    await gate.edge.kill(gate.service.parts, user="user:alice")
    assert (await get(gate)).status == 403
