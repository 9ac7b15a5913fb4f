"""Both servers carry the same app: requests, streams that leave at once, clients that leave, and a stop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from shared import server
from shared.asgi import Exchange, Receive, Scope, Send
from shared.errors import ClientGone
from shared.http_client import HttpClient
from shared.server import ServerName
from tests.support.wait import SECONDS, eventually

SERVERS: tuple[ServerName, ...] = ("hypercorn", "granian")


class App:
    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.waiting = asyncio.Event()
        self.left = asyncio.Event()
        self.unread = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        body = await exchange.body(2**20)
        if exchange.path == "/stream":
            await exchange.start(200, [(b"content-type", b"text/event-stream")])
            await exchange.write(b"data: one\n\n")
            await asyncio.wait_for(self.go_on.wait(), SECONDS)
            await exchange.finish(b"data: two\n\n")
        elif exchange.path == "/flood":
            await self._flood(exchange)
        elif exchange.path == "/wait":
            self.waiting.set()
            await asyncio.wait_for(exchange.disconnected(), SECONDS)
            self.left.set()
        else:
            await exchange.reply(201, [(b"x-path", exchange.path.encode())], body)

    async def _flood(self, exchange: Exchange) -> None:
        await exchange.start(200, [])
        try:
            while True:
                await exchange.write(b"x" * 65_536)
        except ClientGone:
            self.unread.set()


@contextlib.asynccontextmanager
async def served(name: ServerName) -> AsyncIterator[tuple[App, str]]:
    """Whatever is open when it stops is let go on after the grace period."""
    app, stop, ready = App(), asyncio.Event(), asyncio.Event()
    listener = server.bind("127.0.0.1:0")
    url = server.url_of(listener)
    task = asyncio.create_task(
        server.serve(
            app, listener, stop, server=name, grace_seconds=0.2, ready=ready.set, end_open=app.go_on.set
        )
    )
    try:
        await asyncio.wait_for(ready.wait(), SECONDS)
        await eventually(lambda: _answers(url), "the server")
        yield app, url
    finally:
        stop.set()
        await asyncio.wait_for(task, SECONDS)
        listener.close()


def _answers(url: str) -> bool:
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 1),
    ):
        return True
    return False


@pytest.mark.parametrize("name", SERVERS)
async def test_it_carries_requests_and_streams_as_they_come(name: ServerName) -> None:
    client = HttpClient()
    async with served(name) as (app, url):
        async with await client.send("POST", f"{url}/x", body=b"hello") as reply:
            assert (reply.status, reply.header("x-path"), await reply.read(100)) == (201, "/x", b"hello")
        async with await client.send("GET", f"{url}/stream") as reply:
            chunks = reply.chunks()
            assert await anext(chunks) == b"data: one\n\n"
            app.go_on.set()
            assert b"".join([chunk async for chunk in chunks]) == b"data: two\n\n"
        await client.close()


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        (b"GET /stream HTTP/1.1", b"b\r\ndata: one\n\n\r\nb\r\ndata: two\n\n\r\n0\r\n\r\n"),
        (b"GET /stream HTTP/1.0", b"data: one\n\ndata: two\n\n"),
        (b"HEAD /stream HTTP/1.1", b""),
    ],
)
async def test_a_stream_is_framed_as_its_client_understands_it(asked: bytes, sent: bytes) -> None:
    async with served("hypercorn") as (app, url):
        app.go_on.set()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(asked + b"\r\nhost: x\r\nconnection: close\r\n\r\n")
        head, _, body = (await asyncio.wait_for(reader.read(-1), SECONDS)).partition(b"\r\n\r\n")
        writer.close()
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == sent


@pytest.mark.parametrize("name", SERVERS)
async def test_it_tells_when_a_client_has_left(name: ServerName) -> None:
    async with served(name) as (app, url):
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST /wait HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
        await asyncio.wait_for(app.waiting.wait(), SECONDS)
        writer.close()
        await asyncio.wait_for(app.left.wait(), SECONDS)


@pytest.mark.parametrize("name", SERVERS)
async def test_what_is_open_when_it_stops_has_its_say_after_the_grace_period(name: ServerName) -> None:
    client = HttpClient()
    async with contextlib.AsyncExitStack() as opened:
        opened.push_async_callback(client.close)
        async with served(name) as (app, url):
            reply = await opened.enter_async_context(await client.send("GET", f"{url}/stream"))
            chunks = reply.chunks()
            assert await anext(chunks) == b"data: one\n\n"
            rest = asyncio.create_task(_rest(chunks))
        assert app.go_on.is_set()
        assert await rest == b"data: two\n\n"


async def test_a_client_that_takes_nothing_of_its_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_UNREAD_SECONDS", 0.3)
    async with served("hypercorn") as (app, url):
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 1) as deaf:
            deaf.sendall(b"GET /flood HTTP/1.1\r\nhost: x\r\n\r\n")
            await asyncio.wait_for(app.unread.wait(), SECONDS)


async def test_a_client_that_leaves_takes_its_connection_along() -> None:
    async with served("hypercorn") as (_, url):
        opened = [await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2])) for _ in range(5)]
        for reader, writer in opened:
            writer.write(b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n")
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
        await eventually(lambda: _running("_idle_timeout") == len(opened))
        for _, writer in opened:
            writer.close()
        await eventually(lambda: not _running("_server_callback") + _running("_idle_timeout"))


def _running(name: str) -> int:
    """How many tasks of this coroutine there are: hypercorn has one for each connection, and one more for
    each that nobody uses.
    """
    return sum(name in repr(task.get_coro()) for task in asyncio.all_tasks())


async def _rest(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def test_an_address_that_is_taken_is_told_with_its_reason() -> None:
    with contextlib.closing(server.bind("127.0.0.1:0")) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
            server.bind(f"127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["127.0.0.1:70000", "a..b:80"])
def test_an_address_that_is_none_is_told_like_one_that_is_taken(address: str) -> None:
    with pytest.raises(server.CannotListen, match=f"cannot listen on {address}: "):
        server.bind(address)
