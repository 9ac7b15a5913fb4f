"""Answers without end, of servers and APIs: cut off at their cap, and no more of them is held than that."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest

from tests.mcp_gateway.conftest import Open
from tests.mcp_gateway.gateway import http
from tests.support.mcp_shifting import Shifting, tool
from tests.support.rest_api import Pets
from tests.support.serve import serving
from tests.support.wait import eventually

CAP, GIGABYTE = 1_000_000, 2**30
CHUNK = b"x" * 2**18
MOST_HELD = 64 * 2**20


class Endless:
    """Behaves until something is called: then it sends up to a gigabyte, as long as anybody reads it."""

    def __init__(self, app: Any, media: str, first: bytes) -> None:
        self._app = app
        self._media = media
        self._first = first
        self.sent = 0
        self.left = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", ()))
        bomb = headers.get(b"mcp-method") == b"tools/call" or scope.get("path") == "/say/bomb"
        if not bomb:
            await self._app(scope, receive, send)
            return
        start = [(b"content-type", self._media.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": start})
        await send({"type": "http.response.body", "body": self._first, "more_body": True})
        leaving = asyncio.create_task(self._gone(receive))
        try:
            while self.sent < GIGABYTE and not leaving.done():
                await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
                self.sent += len(CHUNK)
                await asyncio.sleep(0)
        finally:
            leaving.cancel()
            self.left.set()

    async def _gone(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


@pytest.fixture
def memory() -> int:
    return int(psutil.Process().memory_info().rss)


@pytest.mark.parametrize(
    ("media", "first"),
    [
        ("application/json", b'{"jsonrpc":"2.0","id":1,"result":{"a":"'),
        ("text/event-stream", b"data: "),
        ("text/event-stream", b": only a comment\n\n"),
    ],
)
async def test_a_gigabyte_of_a_server_is_not_read(
    opened: Open, memory: int, media: str, first: bytes
) -> None:
    server = Endless(Shifting(tool("bomb")), media, first)
    async with serving(server) as url, opened({"s": http(url)}, max_result_bytes=CAP) as gateway:
        heard = await gateway.call("s__bomb")
        assert heard.error["code"] == -32014
        await eventually(server.left.is_set, "the server was left")
    assert server.sent < GIGABYTE // 4
    assert psutil.Process().memory_info().rss - memory < MOST_HELD


async def test_a_gigabyte_of_an_api_is_not_read(opened: Open, memory: int) -> None:
    server = Endless(Pets().app, "text/plain", b"y")
    async with serving(server) as url:
        transport = {"type": "openapi", "document": f"{url}/openapi.json", "allow": ["127.0.0.1"]}
        own = {"a": {"transport": transport | {"url": url}}}
        async with opened(own, max_result_bytes=CAP) as gateway:
            heard = await gateway.call("a__say", {"kind": "bomb"})
            assert f"larger than {CAP} bytes" in heard.error["message"]
            await eventually(server.left.is_set, "the API was left")
    assert psutil.Process().memory_info().rss - memory < MOST_HELD


async def test_an_answer_of_an_api_that_is_nested_without_end_is_broken(opened: Open) -> None:
    async def deep(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") != "/pets/1":
            await Pets().app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"a":' * 90_000 + b"1" + b"}" * 90_000})

    async with serving(deep) as url:
        transport = {"type": "openapi", "document": f"{url}/openapi.json", "allow": ["127.0.0.1"], "url": url}
        async with opened({"a": {"transport": transport}}) as gateway:
            assert (await gateway.call("a__getPet", {"petId": "1"})).error["code"] == -32014


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """An API that describes itself and then never answers."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") == "/openapi.json":
            await Pets().app(scope, receive, send)
        elif scope["type"] == "http":
            while (await receive())["type"] != "http.disconnect":
                pass

    async with serving(app) as url:
        yield url


async def test_an_api_that_never_answers_is_waited_for_as_long_as_any_server(
    opened: Open, silent: str
) -> None:
    transport = {"type": "openapi", "document": f"{silent}/openapi.json", "allow": ["127.0.0.1"]}
    own = {"a": {"transport": transport | {"url": silent}, "timeout_seconds": 0.7}}
    async with opened(own) as gateway:
        heard = await gateway.call("a__listPets")
        assert "said nothing for 0.7 s" in heard.error["message"]
