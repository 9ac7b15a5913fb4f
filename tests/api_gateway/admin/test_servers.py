"""Servers and skills are published by who may, and imported as far as a registry can be trusted."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.api_gateway.office import Office, opened
from tests.support.serve import serving

SERVER: dict[str, Any] = {
    "name": "com.example/weather",
    "description": "Weather for anywhere.",
    "version": "1.0.0",
    "remotes": [{"type": "streamable-http", "url": "https://weather.example/mcp"}],
}
OFFICIAL = {"io.modelcontextprotocol.registry/official": {"status": "active", "isLatest": True}}
LOCAL = {"registry": {"allow": ["127.0.0.1"]}}


class Registry:
    """Another registry: two servers a page, and whatever else it is told to say."""

    def __init__(self) -> None:
        self.servers = [SERVER | {"name": f"com.example/s{n}"} for n in range(5)]
        self.asked: list[dict[str, list[str]]] = []
        self.app = Starlette(
            routes=[Route("/v0.1/servers", self.listing), Route("/moved/servers", self.moved)]
        )

    async def listing(self, request: Request) -> Response:
        query = parse_qs(request.url.query)
        self.asked.append(query)
        start = int(query.get("cursor", ["0"])[0])
        page = [{"server": server, "_meta": OFFICIAL} for server in self.servers[start : start + 2]]
        more = start + 2 < len(self.servers)
        metadata = {"count": len(page), **({"nextCursor": str(start + 2)} if more else {})}
        return JSONResponse({"servers": page, "metadata": metadata})

    async def moved(self, request: Request) -> Response:
        return RedirectResponse("/v0.1/servers")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    rules = [{"sub": "user:acme", "dom": "*", "obj": "*", "act": "*"}]
    async with opened(tmp_path, {"rules": rules}, api_gateway=LOCAL) as office:
        yield office


@pytest.fixture
async def elsewhere() -> AsyncIterator[tuple[Registry, str]]:
    registry = Registry()
    async with serving(registry.app) as url:
        yield registry, url


async def kept(desk: Office) -> dict[str, str]:
    answer = await desk.ask("GET", "/catalog/servers")
    return {f"{each['name']} {each['version']}": each["state"] for each in answer.body["servers"]}


async def test_a_version_is_published_once(desk: Office) -> None:
    own = {"_meta": {"gatestack/registry": {"owner": "team:weather", "labels": ["outside"]}}}
    made = await desk.ask("POST", "/catalog/servers", SERVER | own)
    assert made.status == 200
    again = await desk.ask("POST", "/catalog/servers", SERVER | {"description": "Something else."})
    assert again.status == 409
    newer = await desk.ask("POST", "/catalog/servers", SERVER | {"version": "1.1.0"})
    assert newer.status == 200
    [first, _] = (await desk.ask("GET", "/catalog/servers")).body["servers"]
    assert (first["owner"], first["labels"], first["by"]) == ("team:weather", ["outside"], "user:operator")
    assert first["content"] == SERVER


async def test_the_registrys_own_path_publishes_too(desk: Office) -> None:
    key = desk.key_file.read_text().strip()
    headers = [("authorization", f"Bearer {key}"), ("content-type", "application/json")]
    url = f"{desk.edge.url}/registry/v0.1/publish"
    body = msgspec.json.encode(SERVER)
    async with await desk.http.send("POST", url, headers=headers, body=body) as reply:
        assert reply.status == 200
    async with await desk.http.send("POST", url, body=body) as reply:
        assert reply.status == 401
    assert await kept(desk) == {"com.example/weather 1.0.0": "active"}


async def test_nobody_publishes_without_leave(desk: Office) -> None:
    stranger, tenant = await desk.key("user:eve", "system"), await desk.key("user:acme", "acme")
    for key in (stranger, tenant):
        for path, body in (("/catalog/servers", SERVER), ("/catalog/skills", {})):
            assert (await desk.ask("POST", path, body, key=key)).status == 403
    assert await kept(desk) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "weather"},
        {"name": "../x/y"},
        {"version": "latest"},
        {"version": "1 2"},
        {"description": ""},
        {"remotes": [{"type": "stdio", "url": "https://x.example"}]},
        {"remotes": [{"type": "sse", "url": "file:///etc/passwd"}]},
        {"remotes": [{"type": "sse", "url": "https://user:word@x.example"}]},
        {"websiteUrl": "x" * 70_000},
        {"_meta": {"gatestack/registry": {"state": "imported"}}},
    ],
)
async def test_what_is_no_server_json_is_refused(desk: Office, wrong: dict[str, Any]) -> None:
    assert (await desk.ask("POST", "/catalog/servers", SERVER | wrong)).status == 400
    assert await kept(desk) == {}


async def test_another_registry_is_imported_page_by_page(
    desk: Office, elsewhere: tuple[Registry, str]
) -> None:
    registry, url = elsewhere
    wanted = {"url": f"{url}/v0.1", "search": "s"}
    dry = await desk.ask("POST", "/catalog/servers/import", wanted | {"dry_run": True})
    assert len(dry.body["imported"]) == 5
    assert await kept(desk) == {}
    await desk.ask("POST", "/catalog/servers/import", wanted)
    assert set((await kept(desk)).values()) == {"imported"}
    assert registry.asked[0]["version"] == ["latest"]
    again = await desk.ask("POST", "/catalog/servers/import", wanted)
    assert again.body["imported"] == []
    few = await desk.ask("POST", "/catalog/servers/import", wanted | {"limit": 3, "dry_run": True})
    assert few.body["more"] is True


async def test_an_import_replaces_nothing_that_was_published_or_decided(
    desk: Office, elsewhere: tuple[Registry, str]
) -> None:
    registry, url = elsewhere
    registry.servers = [SERVER, SERVER | {"name": "com.example/other"}]
    await desk.ask("POST", "/catalog/servers", SERVER)
    await desk.ask("POST", "/catalog/servers/import", {"url": f"{url}/v0.1"})
    gone = {"name": "com.example/other", "version": "1.0.0", "state": "deleted"}
    assert (await desk.ask("POST", "/catalog/servers/state", gone)).status == 200
    registry.servers = [server | {"description": "Changed."} for server in registry.servers]
    answer = await desk.ask("POST", "/catalog/servers/import", {"url": f"{url}/v0.1"})
    assert answer.body["imported"] == []
    assert await kept(desk) == {"com.example/other 1.0.0": "deleted", "com.example/weather 1.0.0": "active"}


async def test_what_a_registry_says_wrongly_is_left_out(
    desk: Office, elsewhere: tuple[Registry, str]
) -> None:
    registry, url = elsewhere
    registry.servers = [SERVER, {"name": 7}, {"name": "\x1b[2J/x"}, SERVER | {"title": "x" * 40_000}]
    answer = await desk.ask("POST", "/catalog/servers/import", {"url": f"{url}/v0.1"})
    assert [each["name"] for each in answer.body["imported"]] == ["com.example/weather"]
    assert len(answer.body["skipped"]) == 3
    assert "\x1b" not in "".join(answer.body["skipped"])


@pytest.mark.parametrize("path", ["/moved", "/nothing"])
async def test_an_import_goes_nowhere_else(desk: Office, elsewhere: tuple[Registry, str], path: str) -> None:
    registry, url = elsewhere
    answer = await desk.ask("POST", "/catalog/servers/import", {"url": url + path})
    assert answer.status == 400
    assert registry.asked == []


async def test_an_import_comes_from_public_addresses_only(
    tmp_path: Path, elsewhere: tuple[Registry, str]
) -> None:
    registry, url = elsewhere
    async with opened(tmp_path) as office:
        answer = await office.ask("POST", "/catalog/servers/import", {"url": f"{url}/v0.1"})
        assert answer.status == 403
    assert registry.asked == []


async def test_a_skill_is_published_and_goes_again(desk: Office) -> None:
    skill = {
        "id": "refund",
        "version": "1.0.0",
        "description": "Pays back.",
        "instructions": "…",
        "tools": ["a/b"],
    }
    assert (await desk.ask("POST", "/catalog/skills", skill)).status == 200
    assert (await desk.ask("POST", "/catalog/skills", skill)).status == 409
    for wrong in ({"id": "Re fund"}, {"tools": ["b"]}, {"version": "latest"}, {"secret": 1}):
        assert (await desk.ask("POST", "/catalog/skills", skill | {"version": "2.0.0"} | wrong)).status == 400
    body = {"name": "refund", "version": "1.0.0", "state": "deprecated"}
    assert (await desk.ask("POST", "/catalog/skills/state", body)).body["state"] == "deprecated"
    assert (await desk.ask("POST", "/catalog/servers/state", body)).status == 404
