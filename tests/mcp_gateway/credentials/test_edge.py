"""The way to a consent as users really take it: through the edge, with the official client and a key."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.routing import Route

from api_gateway.app import SERVICE as EDGE
from api_gateway.oauth.introspect import PATH as INTROSPECT_PATH
from api_gateway.oauth.revoke import PATH as REVOKE_PATH
from api_gateway.oauth.token import PATH as TOKEN_PATH
from api_gateway.public_relay import PATHS
from api_gateway.push import PATH as PUSH_PATH
from mcp_gateway.app import SERVICE as MCP
from shared.health import PUBLIC_PATHS
from shared.http_client import HttpClient
from shared.identity.keys import KeyRecord
from shared.redis_client import Redis
from shared.valkey import EmbeddedValkey
from tests.mcp_gateway.credentials.conftest import KEY, LINK, browsing
from tests.mcp_gateway.gateway import Gateway, Heard, rule
from tests.support.protected_server import ProtectedServer
from tests.support.serve import Edge, running, someone
from tests.support.wait import SECONDS, eventually

PUBLIC = "http://127.0.0.1"
PLACE = "/.well-known/oauth-protected-resource"


@contextlib.asynccontextmanager
async def both(directory: Path, redis: str, protected: ProtectedServer) -> AsyncIterator[tuple[Gateway, str]]:
    """The edge in front of the tool gateway in front of `protected`; and a key of user:alice."""
    keys = Edge(directory)
    transport = {"type": "http", "url": f"{protected.url}/mcp"}
    section = {
        "servers": {"docs": {"transport": transport, "credential": {"type": "user_oauth"}}},
        "oauth": {"sealing_keys": ["${KEY}"], "allow": ["127.0.0.1"]},
        "public_url": PUBLIC,
        "authorization_servers": ["https://idp.example"],
    }
    inner: dict[str, Any] = {"mcp_gateway": section, "identity": {"trust": {"api_gateway": str(keys.jwks)}}}
    outer: dict[str, Any] = {
        "identity": {"keys_dir": str(keys.keys_dir), "trust": {}},
        "policy": {"rules": [rule()]},
    }
    client = HttpClient()
    async with running(MCP, inner, directory, redis=redis, environ={"KEY": KEY}) as tools:
        own = {"gateways": {"mcp_gateway": [tools.url]}, "oauth": {"public_url": PUBLIC}}
        async with running(EDGE, outer | {"api_gateway": own}, directory, redis=redis) as edge:
            record = KeyRecord(id="", hash="", sub="user:alice", tenant="acme")
            await eventually(lambda: not tools.parts.problems(), "the policy has arrived")
            secret, _ = await edge.app.state.control.create_key(record)
            await eventually(lambda: edge.parts.keyring.find(secret), "the key is known")
            yield Gateway(keys, edge, client), secret
    await client.close()


@pytest.fixture
async def front(
    tmp_path: Path, valkey: EmbeddedValkey, redis: Redis, protected: ProtectedServer
) -> AsyncIterator[tuple[Gateway, str]]:
    async with both(tmp_path, valkey.url, protected) as opened:
        yield opened


async def _get(gateway: Gateway, path: str, **headers: str) -> Heard:
    return await gateway.send(method="GET", path=path, headers=headers, identity=False)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_official_client_connects_its_user_through_the_edge(
    front: tuple[Gateway, str], protected: ProtectedServer, mode: str
) -> None:
    gateway, secret = front
    bearer = {"authorization": f"Bearer {secret}"}
    async with (
        browsing(gateway) as browser,
        httpx2.AsyncClient(headers=bearer, timeout=20) as http,
        Client(streamable_http_client(f"{gateway.service.url}/mcp", http_client=http), mode=mode) as client,
    ):
        refused = await client.call_tool("docs__whoami", {})
        link = LINK.search(refused.content[0].text)  # type: ignore[union-attr]
        assert link is not None
        assert "connected to docs" in (await browser.allow(link[0])).text
        answer = await client.call_tool("docs__whoami", {})
        assert answer.content[0].text == "alice@example.com"  # type: ignore[union-attr]
    assert secret not in repr(protected.heard)
    [told] = (await _get(gateway, "/oauth/grants", **bearer)).json
    assert told["connected"] is True


async def test_strangers_are_told_where_to_look_and_nothing_else(front: tuple[Gateway, str]) -> None:
    gateway, _ = front
    for path in ("/mcp", "/servers/docs/mcp"):
        heard = await gateway.send(b"{}", path=path, identity=False)
        assert heard.status == 401
        assert f'resource_metadata="{PUBLIC}{PLACE}{path}"' in heard.headers["www-authenticate"]
        assert (await _get(gateway, PLACE + path)).json["resource"] == PUBLIC + path
    assert (await _get(gateway, PLACE + "/servers/other/mcp")).status == 404
    assert (await _get(gateway, "/oauth/clients/docs")).json["redirect_uris"]
    assert (await _get(gateway, "/oauth/consent?link=none")).status == 404
    for path in ("/oauth/grants", "/oauth/grants/docs", "/oauth/else", "/oauth/callback", "/oauth/clients"):
        assert (await _get(gateway, path)).status == 401
    # What a stranger says about itself stays outside.
    forged = {"txn-token": gateway.edge.token(someone(), audience="mcp_gateway")}
    assert (await _get(gateway, PLACE + "/../../../oauth/grants", **forged)).status in (400, 401, 404)
    assert (await _get(gateway, PLACE + "/%2e%2e/oauth/grants", **forged)).status in (400, 401, 404)


@pytest.mark.parametrize(
    "path", [PLACE + "/../../metrics", PLACE + "//x", "/oauth/callback/..", PLACE + "/./x"]
)
async def test_a_path_that_leads_elsewhere_when_resolved_goes_nowhere(
    front: tuple[Gateway, str], path: str
) -> None:
    """Written to the wire as it is: clients resolve such paths, attackers do not."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(front[0].service.url).port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), SECONDS)
    finally:
        writer.close()
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"python_info" not in answer


async def test_a_kill_of_everything_stops_what_strangers_see_too(front: tuple[Gateway, str]) -> None:
    gateway, _ = front
    await gateway.service.app.state.control.add_kill({"all": "*"}, "test", "user:test")
    assert (await _get(gateway, PLACE + "/mcp")).status == 403


async def test_no_other_path_of_the_edge_is_open_to_strangers(front: tuple[Gateway, str]) -> None:
    gateway, _ = front
    known = {*PUBLIC_PATHS, *PATHS, TOKEN_PATH, INTROSPECT_PATH, REVOKE_PATH, PUSH_PATH, "/{path:path}"}
    assert {route.path for route in gateway.service.app.routes if isinstance(route, Route)} == known
