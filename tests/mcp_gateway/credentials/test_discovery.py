"""Which authorization server a user is sent to: the one that speaks for the server, at an address that may be
called, and nobody who only says so.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from mcp_gateway.credentials import outside
from mcp_gateway.credentials.discovery import Discovery, Found
from mcp_gateway.credentials.outside import Outside
from shared.clock import Clock
from shared.egress import Egress
from shared.errors import UpstreamFault, UpstreamTimeout
from shared.http_client import HttpClient
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.credentials.conftest import KEY, Connected, browsing, link_for
from tests.mcp_gateway.gateway import http
from tests.support.authorization_server import AuthorizationServer
from tests.support.protected_server import ProtectedServer
from tests.support.serve import serving

Finding = Callable[..., Awaitable[Found]]


@pytest.fixture
async def finding(protected: ProtectedServer) -> AsyncIterator[Finding]:
    """Looks for the authorization server of `protected`, as somebody who trusts its address alone."""
    client, url = HttpClient(), f"{protected.url}/mcp"

    async def find(allow: tuple[str, ...] = ("127.0.0.1",)) -> Found:
        return await Discovery("docs", url, "", Outside(client, Egress(allow), [url]), Clock()).find()

    yield find
    await client.close()


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"issuer": "https://evil.example"}, "says it is another one"),
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE"),
        ({"code_challenge_methods_supported": None}, "PKCE"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "nobody should be sent to"),
        ({"authorization_endpoint": "https://bank.example@evil.example/"}, "nobody should be sent to"),
        ({"authorization_endpoint": "https://as.example/\r\nset-cookie: x"}, "nobody should be sent to"),
        ({"authorization_endpoint": "https://as.example/#"}, "nobody should be sent to"),
        ({"authorization_endpoint": "https://b\u0430nk.example/"}, "nobody should be sent to"),
        ({"authorization_endpoint": "http://as.example/authorize"}, "without https"),
        ({"token_endpoint": "http://as.example/token"}, "without https"),
        ({"token_endpoint": 7}, "not what was asked for"),
    ],
)
async def test_an_authorization_server_that_cannot_be_trusted_gets_nobody(
    finding: Finding, authority: AuthorizationServer, metadata: dict[str, Any], why: str
) -> None:
    authority.metadata = metadata
    with pytest.raises(UpstreamFault, match=why):
        await finding()


@pytest.mark.parametrize(
    "told",
    [
        {"resource": "https://other.example/mcp"},
        {"resource": "http://127.0.0.1:1/mcp"},
        {"authorization_servers": []},
        {"authorization_servers": ["http://169.254.169.254"]},
        {"authorization_servers": ["https://10.0.0.1"]},
        {"authorization_servers": ["https://localhost"]},
        {"authorization_servers": ["https://user:pw@as.example"]},
        {"authorization_servers": ["file:///etc/passwd"]},
        {"authorization_servers": ["https://[::ffff:10.0.0.1]"]},
    ],
)
async def test_metadata_that_leads_elsewhere_is_not_followed(
    finding: Finding, protected: ProtectedServer, told: dict[str, Any]
) -> None:
    protected.told = told
    with pytest.raises(UpstreamFault):
        await finding(allow=())


@pytest.mark.parametrize("hint", ["http://169.254.169.254/latest", "https://10.0.0.1/x", "gopher://x/"])
async def test_a_challenge_cannot_send_the_gateway_to_an_inner_address(
    finding: Finding, protected: ProtectedServer, hint: str
) -> None:
    protected.hint = hint
    with pytest.raises(UpstreamFault, match="may not be called from here"):
        await finding()


async def test_an_authorization_server_on_this_network_needs_the_operators_word(
    finding: Finding, authority: AuthorizationServer
) -> None:
    with pytest.raises(UpstreamFault, match="may not be called from here"):
        await finding(allow=())
    assert (await finding()).server.issuer == authority.url


async def test_a_redirect_of_metadata_is_not_followed(
    finding: Finding, protected: ProtectedServer, authority: AuthorizationServer
) -> None:
    async def redirecting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            where = f"{authority.url}{scope['path']}".encode()
            headers = [(b"location", where), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 302, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

    async with serving(redirecting) as elsewhere:
        protected.told = {"authorization_servers": [elsewhere]}
        with pytest.raises(UpstreamFault):
            await finding()


async def test_metadata_without_an_end_is_cut_off(finding: Finding, protected: ProtectedServer) -> None:
    async def endless(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(64):
                await send({"type": "http.response.body", "body": b" " * 65_536, "more_body": True})

    async with serving(endless) as elsewhere:
        protected.told = {"authorization_servers": [elsewhere]}
        with pytest.raises(UpstreamFault):
            await finding()


async def test_metadata_that_comes_in_drops_is_not_waited_for(
    finding: Finding, protected: ProtectedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "_SECONDS", 0.3)

    async def dripping(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while not (await _gone(receive)):
                await send({"type": "http.response.body", "body": b" ", "more_body": True})

    async with serving(dripping) as elsewhere:
        protected.told = {"authorization_servers": [elsewhere]}
        with pytest.raises(UpstreamTimeout):
            await finding()


async def _gone(receive: Any) -> bool:
    """Whether the client has left, within the time between two drops."""
    try:
        async with asyncio.timeout(0.02):
            return bool((await receive())["type"] == "http.disconnect")
    except TimeoutError:
        return False


async def test_a_server_cannot_lead_to_another_server_of_the_operators(
    opened: Open, protected: ProtectedServer
) -> None:
    asked: list[str] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            asked.append(scope["path"])
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    async with serving(inner) as url:
        protected.told = {"authorization_servers": [url]}
        servers = {
            "docs": http(protected.url) | {"credential": {"type": "user_oauth"}},
            "inner": http(url),
        }
        more = {"oauth": {"sealing_keys": ["${KEY}"]}, "public_url": "http://127.0.0.1"}
        async with opened(servers, environ={"KEY": KEY}, **more) as gateway, browsing(gateway) as browser:
            assert (await browser.open(await link_for(gateway))).status_code == 502
    assert not [path for path in asked if "well-known" in path]


async def test_the_operators_word_is_worth_more_than_the_servers(
    connected: Connected, authority: AuthorizationServer, protected: ProtectedServer
) -> None:
    protected.told = {"authorization_servers": ["https://evil.example"]}
    credential = {"issuer": authority.url}
    async with connected(credential=credential, oauth={"allow": []}) as gateway, browsing(gateway) as browser:
        assert (await browser.allow(await link_for(gateway))).status_code == 200
        assert (await gateway.call("docs__whoami")).text == "alice@example.com"


async def test_a_configured_client_is_used_as_it_is(
    connected: Connected, authority: AuthorizationServer
) -> None:
    credential = {"client_id": "gateway", "client_secret": "${SECRET}"}
    async with connected(credential=credential) as gateway, browsing(gateway) as browser:
        await browser.allow(await link_for(gateway))
        assert (await gateway.call("docs__whoami")).text == "alice@example.com"
        assert authority.registered == []
        assert authority.authorized[0]["client_id"] == "gateway"


async def test_a_client_registers_once_for_everybody_and_with_its_one_address(
    connected: Connected, authority: AuthorizationServer
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        for _ in range(2):
            await browser.allow(await link_for(gateway))
            assert (await gateway.send(method="DELETE", path="/oauth/grants/docs")).status == 204
        [described] = authority.registered
        assert described["redirect_uris"] == ["http://127.0.0.1/oauth/callback/docs"]


async def test_a_client_that_has_been_forgotten_registers_again(
    connected: Connected, authority: AuthorizationServer
) -> None:
    async with connected() as gateway, browsing(gateway) as browser:
        await browser.allow(await link_for(gateway))
        authority.clients.clear()
        authority.tokens.clear()
        assert "invalid_client" in (await gateway.call("docs__whoami")).error["message"]
        await browser.allow(await link_for(gateway))
        assert (await gateway.call("docs__whoami")).text == "alice@example.com"
        assert len(authority.registered) == 2


async def test_where_nobody_registers_an_operator_has_to(
    connected: Connected, authority: AuthorizationServer
) -> None:
    authority.metadata = {"registration_endpoint": None}
    async with connected() as gateway, browsing(gateway) as browser:
        page = await browser.confirm(await browser.open(await link_for(gateway)))
        assert page.status_code == 502
        assert "client_id" in page.text


async def test_a_document_introduces_the_gateway_where_that_is_understood(
    connected: Connected, authority: AuthorizationServer
) -> None:
    authority.metadata, authority.documents = {"client_id_metadata_document_supported": True}, True
    authority.clients["https://gw.example/oauth/clients/docs"] = ""
    async with connected(public_url="https://gw.example") as gateway, browsing(gateway) as browser:
        described = (await browser.http.get(f"{browser.base}/oauth/clients/docs")).json()
        assert described["client_id"] == "https://gw.example/oauth/clients/docs"
        assert described["redirect_uris"] == ["https://gw.example/oauth/callback/docs"]
        page = await browser.open(await link_for(gateway))
        assert page.headers["set-cookie"].startswith("__Host-gatestack-consent=")
        assert "Secure" in page.headers["set-cookie"]
        browser.http.headers["cookie"] = page.headers["set-cookie"].partition(";")[0]
        await browser.open(await browser.sign_in(await browser.confirm(page)))
        assert (await gateway.call("docs__whoami")).text == "alice@example.com"
        assert authority.authorized[0]["client_id"] == described["client_id"]
        assert authority.registered == []
