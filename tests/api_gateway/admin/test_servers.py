"""Servers are published by who may."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.api_gateway.admin.desk import SERVER, desk_at, kept
from tests.api_gateway.office import Office


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with desk_at(tmp_path) as office:
        yield office


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
        {"name": "Internal.Gatestack/git"},
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


async def test_who_may_publish_does_so_under_their_own_names(desk: Office) -> None:
    key = await desk.key("user:weather", "system")
    own = SERVER | {"name": "com.weather/radar"}
    assert (await desk.ask("POST", "/catalog/servers", own, key=key)).status == 200
    for foreign in (SERVER, SERVER | {"name": "com.weatherman/radar"}):
        assert (await desk.ask("POST", "/catalog/servers", foreign, key=key)).status == 403
    state = {"name": SERVER["name"], "version": "1.0.0", "state": "deleted"}
    await desk.ask("POST", "/catalog/servers", SERVER)
    assert (await desk.ask("POST", "/catalog/servers/state?reason=x", state, key=key)).status == 403
    assert await kept(desk) == {"com.example/weather 1.0.0": "active", "com.weather/radar 1.0.0": "active"}


async def test_what_its_publisher_added_stays_and_what_a_registry_added_goes(desk: Office) -> None:
    publishers = {"io.modelcontextprotocol.registry/publisher-provided": {"build": "7"}}
    more = {"io.modelcontextprotocol.registry/official": {"status": "active"}, "com.other": {"stars": 5}}
    await desk.ask("POST", "/catalog/servers", SERVER | {"_meta": publishers | more})
    [one] = (await desk.ask("GET", "/catalog/servers")).body["servers"]
    assert one["content"]["_meta"] == publishers
