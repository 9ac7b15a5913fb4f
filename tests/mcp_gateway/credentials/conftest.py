"""An authorization server, an MCP server that wants its tokens, and a browser for whoever has to consent."""

import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from shared.identity.principal import Caller
from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import Gateway, Heard
from tests.support.authorization_server import AuthorizationServer
from tests.support.protected_server import ProtectedServer
from tests.support.serve import serving

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OTHER_KEY = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="
LINK = re.compile(r"https?://\S+/oauth/consent\?link=[\w-]+")


@pytest.fixture
async def authority() -> AsyncIterator[AuthorizationServer]:
    server = AuthorizationServer()
    async with serving(server.app) as server.url:
        yield server


@pytest.fixture
async def protected(authority: AuthorizationServer) -> AsyncIterator[ProtectedServer]:
    server = ProtectedServer(authority)
    async with serving(server.build()) as server.url:
        yield server


class Browser:
    """What a person does with a link: opens it, reads, confirms, signs in, comes back."""

    def __init__(self, gateway: Gateway) -> None:
        self.base = gateway.service.url
        self.http = httpx2.AsyncClient(timeout=20)
        self.pages: list[httpx2.Response] = []

    def local(self, link: str) -> str:
        """The gateway's public address is not one of this machine."""
        parts = urlsplit(link)
        return f"{self.base}{parts.path}?{parts.query}"

    async def open(self, link: str) -> httpx2.Response:
        return self._seen(await self.http.get(self.local(link)))

    async def confirm(self, page: httpx2.Response, **changed: str) -> httpx2.Response:
        fields = dict(re.findall(r'name="(\w+)" value="([^"]+)"', page.text)) | changed
        return self._seen(await self.http.post(f"{self.base}/oauth/consent", data=fields))

    async def sign_in(self, confirmed: httpx2.Response) -> str:
        """The address that the authorization server sends the browser back to."""
        answer = await self.http.get(confirmed.headers["location"])
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"])

    async def allow(self, link: str) -> httpx2.Response:
        """All of it."""
        page = await self.open(link)
        assert page.status_code == 200, page.text
        confirmed = await self.confirm(page)
        assert confirmed.status_code == 303, confirmed.text
        return await self.open(await self.sign_in(confirmed))

    def _seen(self, page: httpx2.Response) -> httpx2.Response:
        self.pages.append(page)
        return page


@contextlib.asynccontextmanager
async def browsing(gateway: Gateway) -> AsyncIterator[Browser]:
    browser = Browser(gateway)
    try:
        yield browser
    finally:
        await browser.http.aclose()


class Connected:
    """Opens a gateway in front of `protected`, which users have to connect to."""

    def __init__(self, opened: Open, protected: ProtectedServer) -> None:
        self._opened = opened
        self._protected = protected

    def __call__(
        self, *, keys: list[str] | None = None, credential: Any = None, **section: Any
    ) -> AbstractAsyncContextManager[Gateway]:
        keys = keys or [KEY]
        names = [f"KEY_{place}" for place in range(len(keys))]
        server = {
            "transport": {"type": "http", "url": f"{self._protected.url}/mcp"},
            "credential": {"type": "user_oauth", **(credential or {})},
        }
        oauth = {"sealing_keys": [f"${{{name}}}" for name in names], "allow": ["127.0.0.1"]}
        return self._opened(
            {"docs": server},
            environ=dict(zip(names, keys, strict=True)) | {"SECRET": "gateway-secret"},
            oauth=oauth | section.pop("oauth", {}),
            public_url=section.pop("public_url", "http://127.0.0.1"),
            **section,
        )


@pytest.fixture
def connected(opened: Open, protected: ProtectedServer) -> Connected:
    return Connected(opened, protected)


async def link_for(gateway: Gateway, caller: Caller | None = None, tool: str = "docs__whoami") -> str:
    """The link that a call without a grant is answered with."""
    heard: Heard = await gateway.call(tool, caller=caller)
    assert heard.status == 200, heard.body
    assert heard.json["result"]["isError"], heard.body
    found = LINK.search(heard.text)
    assert found is not None, heard.text
    return found[0]
