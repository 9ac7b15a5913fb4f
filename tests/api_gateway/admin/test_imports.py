"""Another registry is imported as far as it can be trusted."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api_gateway.admin.desk import HIDDEN, SERVER, desk_at, kept
from tests.api_gateway.office import Answer, Office, opened
from tests.support.mcp_registry import Registry
from tests.support.serve import serving

PATH = "/catalog/servers/import"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with desk_at(tmp_path) as office:
        yield office


@pytest.fixture
async def elsewhere() -> AsyncIterator[tuple[Registry, str]]:
    registry = Registry([SERVER | {"name": f"com.example/s{n}"} for n in range(5)])
    async with serving(registry.app) as url:
        yield registry, f"{url}/v0.1"


async def bring(desk: Office, url: str, reason: str = "we want them", key: str = "", **more: Any) -> Answer:
    query = f"?reason={reason.replace(' ', '+')}" if reason else ""
    return await desk.ask("POST", PATH + query, {"url": url, **more}, key=key)


async def test_another_registry_is_imported_page_by_page(
    desk: Office, elsewhere: tuple[Registry, str]
) -> None:
    registry, url = elsewhere
    dry = await bring(desk, url, reason="", search="s", dry_run=True)
    assert len(dry.body["imported"]) == 5
    assert await kept(desk) == {}
    assert (await bring(desk, url, reason="", search="s")).status == 400
    await bring(desk, url, search="s")
    assert set((await kept(desk)).values()) == {"imported"}
    assert registry.asked[0]["version"] == ["latest"]
    again = await bring(desk, url, search="s")
    assert again.body["imported"] == []
    few = await bring(desk, url, limit=3, dry_run=True)
    assert few.body["more"] is True


async def test_an_import_is_an_entry_with_who_why_and_what(
    desk: Office, elsewhere: tuple[Registry, str]
) -> None:
    await bring(desk, elsewhere[1], reason="for team weather", limit=1)
    row = [row for row in await desk.edge.rows_now("system") if "import" in row.method][-1]
    assert (row.principal, row.resource, row.action) == ("user:operator", "admin:catalog", "manage")
    assert row.detail == "for team weather"
    assert row.findings == (f"import:{elsewhere[1]}", "catalog:server/com.example/s0@1.0.0")
    assert len(row.digest) == 64


async def test_an_import_replaces_nothing_that_was_published_or_decided(
    desk: Office, elsewhere: tuple[Registry, str]
) -> None:
    registry, url = elsewhere
    registry.servers = [SERVER, SERVER | {"name": "com.example/other"}]
    await desk.ask("POST", "/catalog/servers", SERVER)
    await bring(desk, url)
    gone = {"name": "com.example/other", "version": "1.0.0", "state": "deleted"}
    assert (await desk.ask("POST", "/catalog/servers/state?reason=no", gone)).status == 200
    registry.servers = [server | {"description": "Changed."} for server in registry.servers]
    answer = await bring(desk, url)
    assert answer.body["imported"] == []
    assert await kept(desk) == {"com.example/other 1.0.0": "deleted", "com.example/weather 1.0.0": "active"}


async def test_what_is_deprecated_or_deleted_there_is_so_here(
    desk: Office, elsewhere: tuple[Registry, str]
) -> None:
    registry, url = elsewhere
    names = ("other", "old", "kept", "never")
    registry.servers = [SERVER | {"name": f"com.example/{name}"} for name in names[:3]]
    await bring(desk, url)
    registry.status["com.example/old"] = "deprecated"
    await bring(desk, url)
    assert (await kept(desk))["com.example/old 1.0.0"] == "deprecated"
    vouched = {"name": "com.example/kept", "version": "1.0.0", "state": "active"}
    await desk.ask("POST", "/catalog/servers/state?reason=ours", vouched)
    registry.servers.append(SERVER | {"name": "com.example/never"})
    registry.status = {f"com.example/{name}": "deleted" for name in names}
    answer = await bring(desk, url, reason="again")
    assert [each["name"] for each in answer.body["deleted"]] == ["com.example/old", "com.example/other"]
    assert await kept(desk) == {
        "com.example/kept 1.0.0": "active",
        "com.example/old 1.0.0": "deleted",
        "com.example/other 1.0.0": "deleted",
    }


async def test_what_a_registry_says_wrongly_is_left_out(
    desk: Office, elsewhere: tuple[Registry, str]
) -> None:
    registry, url = elsewhere
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    registry.servers = [SERVER, {"name": 7}, {"name": "\x1b[2J/x"}, SERVER | {"title": "x" * 40_000}]
    registry.servers.append(SERVER | {"name": "com.example/deep", "icons": deep})
    registry.servers.append(SERVER | {"name": "com.example/sly", "description": f"Fine.{HIDDEN}"})
    answer = await bring(desk, url)
    assert [each["name"] for each in answer.body["imported"]] == ["com.example/weather"]
    assert [each["name"] for each in answer.body["quarantined"]] == ["com.example/sly"]
    assert len(answer.body["skipped"]) == 4
    assert "\x1b" not in "".join(answer.body["skipped"])


async def test_who_may_publish_some_names_imports_no_others(
    desk: Office, elsewhere: tuple[Registry, str]
) -> None:
    registry, url = elsewhere
    registry.servers = [SERVER, SERVER | {"name": "com.weather/radar"}]
    answer = await bring(desk, url, key=await desk.key("user:weather", "system"))
    assert [each["name"] for each in answer.body["imported"]] == ["com.weather/radar"]
    assert "may not manage" in answer.body["skipped"][0]


async def test_a_registry_that_never_ends_is_left(desk: Office, elsewhere: tuple[Registry, str]) -> None:
    registry, url = elsewhere
    registry.turns = False
    answer = await bring(desk, url)
    assert len(answer.body["imported"]) == 2
    assert answer.body["more"] is True
    assert len(registry.asked) == 20


@pytest.mark.parametrize("path", ["/moved", "/nothing", "/v0.1?x=", "/v0.1#"])
async def test_an_import_goes_nowhere_else(desk: Office, elsewhere: tuple[Registry, str], path: str) -> None:
    registry, url = elsewhere
    answer = await bring(desk, url.removesuffix("/v0.1") + path)
    assert answer.status == 400
    assert registry.asked == []


async def test_an_import_comes_from_public_addresses_only(
    tmp_path: Path, elsewhere: tuple[Registry, str]
) -> None:
    registry, url = elsewhere
    port = url.removesuffix("/v0.1").rpartition(":")[2]
    hosts = ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0.0.0.0", "169.254.169.254")
    async with opened(tmp_path) as office:
        for host in hosts:
            assert (await bring(office, f"http://{host}:{port}/v0.1")).status == 403, host
        for odd in ("file:///etc/passwd", f"http://u:p@127.0.0.1:{port}/v0.1", "unix:///tmp/x"):
            assert (await bring(office, odd)).status == 400, odd
    assert registry.asked == []
