"""WebSockets through the edge: both ways and whole, within their route's rules, on record once, and cut when
somebody is killed.
"""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from api_gateway.websocket import WebSocketExchange
from tests.api_gateway.fronted import Front, fronted
from tests.support.serve import serving
from tests.support.tls_app import app
from tests.support.wait import eventually

PAGE = "https://app.example.com"


class Echo:
    """A service that says back what it hears; `bye` ends it with a code of its own."""

    def __init__(self) -> None:
        self.open: list[ServerConnection] = []
        self.asked: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.codes: list[int | None] = []
        self.url = ""

    async def __call__(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.open.append(socket)
        self.asked.append({name.lower(): value for name, value in socket.request.headers.raw_items()})
        self.paths.append(socket.request.path)
        try:
            async for message in socket:
                if message == "bye":
                    await socket.close(4001, "as you like")
                elif message == "much":
                    await socket.send("x" * 2_000_000)
                else:
                    await socket.send(message)
        finally:
            self.open.remove(socket)
            self.codes.append(socket.close_code)


@contextlib.asynccontextmanager
async def echo() -> AsyncIterator[Echo]:
    service = Echo()
    async with serve(service, "127.0.0.1", 0, select_subprotocol=_chat, max_size=None) as server:
        service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield service


def _chat(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return next((one for one in offered if one == "chat"), None)


@contextlib.asynccontextmanager
async def echoing(directory: Path, **rule: Any) -> AsyncIterator[tuple[Front, Echo]]:
    async with echo() as service:
        route = {"urls": [service.url], "strip_prefix": True, "websocket": {"origins": [PAGE], **rule}}
        async with fronted(directory, route) as front:
            yield front, service


def dial(front: Front, path: str = "/r0/talk", **options: Any) -> connect:
    url = front.edge.url.replace("http", "ws", 1) + path
    return connect(url, additional_headers={"authorization": f"Bearer {front.key}"}, **options)


async def closing(socket: ClientConnection) -> int:
    """The code that a socket is closed with."""
    await asyncio.wait_for(socket.wait_closed(), 10)
    return int(socket.close_code or 0)


async def test_messages_go_both_ways_and_one_entry_tells_of_it(tmp_path: Path) -> None:
    async with echoing(tmp_path) as (front, service):
        async with dial(
            front, "/r0/talk?room=7", subprotocols=[Subprotocol("other"), Subprotocol("chat")]
        ) as socket:
            assert socket.subprotocol == "chat"
            said: list[str | bytes] = ["hello", "ünï", b"\x00\xff", b"", "x" * 1_000_000]
            for message in said:
                await socket.send(message)
            assert [await socket.recv() for _ in said] == said
            assert front.entries == []
        [row] = await front.closed()
        await eventually(lambda: service.codes, "the service is told")
    assert (row.resource, row.action, row.status, row.outcome) == ("route:r0", "invoke", 101, "completed")
    [asked] = service.asked
    assert "txn-token" in asked
    assert "authorization" not in asked
    assert service.paths == ["/talk?room=7"]


async def test_how_the_service_closes_is_what_the_client_hears(tmp_path: Path) -> None:
    async with echoing(tmp_path) as (front, _), dial(front) as socket:
        await socket.send("bye")
        assert await closing(socket) == 4001
        assert socket.close_reason == "as you like"


@pytest.mark.parametrize(
    ("path", "origin", "key", "status"),
    [
        ("/r0/talk", None, "", 401),
        ("/r0/talk", "https://evil.example", None, 403),
        ("/r1/talk", None, None, 400),
        ("/nothing", None, None, 404),
        ("/r0/%2e%2e/x", None, None, 400),
        ("/mcp", None, None, 403),
    ],
)
async def test_what_may_not_be_opened_is_an_answer_and_reaches_nobody(
    tmp_path: Path, path: str, origin: str | None, key: str | None, status: int
) -> None:
    async with echo() as service:
        routes: list[dict[str, Any]] = [{"urls": [service.url], "websocket": {"origins": [PAGE]}}]
        routes.append({"urls": [service.url]})
        async with fronted(tmp_path, *routes) as front:
            front.key = front.key if key is None else key
            if path == "/mcp":
                front.key = await front.new_key("user:nobody")
            with pytest.raises(InvalidStatus) as refused:
                await dial(front, path, origin=origin)
            assert refused.value.response.status_code == status
            assert msgspec.json.decode(refused.value.response.body)
    assert service.asked == []


async def test_a_page_that_is_listed_may_connect(tmp_path: Path) -> None:
    async with echoing(tmp_path) as (front, service), dial(front, origin=PAGE) as socket:
        await socket.send("hi")
        assert await socket.recv() == "hi"
    assert service.asked[0]["origin"] == PAGE


async def test_a_kill_cuts_both_sides(tmp_path: Path) -> None:
    async with echoing(tmp_path) as (front, service), dial(front) as socket:
        await socket.send("hi")
        assert await socket.recv() == "hi"
        await front.edge.app.state.control.add_kill({"user": "user:alice"}, "a test", "user:operator")
        assert await closing(socket) == 1008
        await eventually(lambda: service.codes, "the service is cut off")
        assert [entry.outcome for entry in await front.closed()] == ["killed"]
        with pytest.raises(InvalidStatus):
            await dial(front)


@pytest.mark.parametrize(
    ("rule", "says", "code"),
    [
        ({"max_message_bytes": 1000}, "ü" * 501, 1009),
        ({}, "x" * 1_100_000, 1009),
        ({}, "much", 1011),
        ({"idle_seconds": 0.2}, None, 1001),
        ({"longest_seconds": 0.2}, None, 1001),
    ],
)
async def test_size_and_time_have_an_end(tmp_path: Path, rule: dict[str, Any], says: Any, code: int) -> None:
    async with echoing(tmp_path, **rule) as (front, service), dial(front, max_size=None) as socket:
        if says is not None:
            await socket.send(says)
        assert await closing(socket) == code
        await eventually(lambda: service.codes, "the service is told")
        await eventually(lambda: not service.open, "nothing stays open")


async def test_a_client_that_is_cut_off_is_not_waited_for(tmp_path: Path) -> None:
    async with echoing(tmp_path) as (front, service):
        socket = await dial(front)
        socket.transport.abort()
        await eventually(lambda: service.codes, "the service is told")
        assert len(await front.closed()) == 1


async def test_one_replica_that_is_not_there_is_passed_over(tmp_path: Path) -> None:
    async with echo() as service:
        urls = ["http://127.0.0.1:9", service.url]
        route = {"urls": urls, "websocket": {}, "balance": {"strategy": "round_robin"}}
        async with fronted(tmp_path, route) as front:
            for _ in range(4):
                async with dial(front) as socket:
                    await socket.send("hi")
                    assert await socket.recv() == "hi"


async def test_a_service_that_opens_none_is_told_of_as_such(tmp_path: Path) -> None:
    async with serving(app) as url, fronted(tmp_path, {"urls": [url], "websocket": {}}) as front:
        with pytest.raises(InvalidStatus) as refused:
            await dial(front)
    assert refused.value.response.status_code == 502


async def test_compression_is_not_offered_so_that_small_frames_stay_small(tmp_path: Path) -> None:
    async with echoing(tmp_path) as (front, _), dial(front, compression="deflate") as socket:
        assert socket.response is not None
        assert "sec-websocket-extensions" not in socket.response.headers


async def test_what_is_over_waits_for_no_collector() -> None:
    async def nobody(*_: Any) -> Any:
        raise AssertionError

    scope = {"type": "websocket", "path": "/", "query_string": b"", "headers": []}
    one = WebSocketExchange(scope, nobody, nobody)
    left = weakref.ref(one)
    gc.disable()
    try:
        del one
        assert left() is None
    finally:
        gc.enable()
