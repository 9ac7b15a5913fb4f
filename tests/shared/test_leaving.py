"""Over HTTP/1.1, an app is told at once that its client has left, whatever is still unread or not asked yet;
and who is refused by the protocol itself keeps no connection.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from shared.asgi import Receive, Scope, Send
from shared.connection import Connection
from tests.support.serve import serving
from tests.support.tls import HOST
from tests.support.wait import SECONDS, eventually

ASKED = b"GET /%s HTTP/1.1\r\nhost: x\r\n\r\n"
CHUNKED = b"POST /%s HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
SOCKET = (
    b"GET /socket HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
LATE = SOCKET.replace(b"/socket", b"/late")
# A text of one letter, masked with zeros (RFC 6455 section 5.2).
FRAME = b"\x81\x81\x00\x00\x00\x00x"
# The first of many fragments, of 60,000 letters each.
FRAGMENT = b"\x01\xfe" + struct.pack("!H", 60_000) + bytes(4) + b"x" * 60_000
NEXT = b"\x00" + FRAGMENT[1:]


class App:
    """Whoever asks for `wait` is only listened to."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.accept = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        self.open.append(scope["path"])
        try:
            await self._serve(scope["path"], receive, send)
        finally:
            self.open.remove(scope["path"])

    async def _serve(self, path: str, receive: Receive, send: Send) -> None:
        if path in ("/socket", "/late"):
            if path == "/socket":
                await send({"type": "websocket.accept"})
            while not (await receive())["type"].endswith("disconnect"):
                pass
            return
        if path == "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(100):
                await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            return
        if path == "/wait":
            while (await receive())["type"] != "http.disconnect":
                pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


class World:
    def __init__(self, app: App, url: str, served: list[Connection]) -> None:
        self.app, self.served, self._port = app, served, int(url.rpartition(":")[2])

    async def say(self, said: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(HOST, self._port)
        writer.write(said)
        return reader, writer

    async def gone(self) -> None:
        await eventually(lambda: not self.app.open and not self.served, "nothing is left of it")


@pytest.fixture
async def world(served: list[Connection]) -> AsyncIterator[World]:
    app = App()
    async with serving(app) as url:
        yield World(app, url, served)


@pytest.mark.parametrize(
    "said",
    [
        ASKED % b"wait",
        ASKED % b"wait" + b"\r\n",
        ASKED % b"wait" + ASKED % b"x",
        ASKED % b"wait" + (ASKED % b"x") * 1_000,
        CHUNKED % b"wait" + b"1\r\nx\r\n" * 100,
        CHUNKED % b"wait" + b"1\r\nx\r\n0\r\n\r\n" + CHUNKED % b"x",
    ],
)
@pytest.mark.parametrize("politely", [True, False])
async def test_who_leaves_is_noticed(world: World, said: bytes, politely: bool) -> None:
    _, writer = await world.say(said)
    await eventually(lambda: world.app.open, "it is asked")
    if politely:
        writer.close()
    else:
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
    await world.gone()


async def test_who_leaves_writes_nothing_into_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def reset(_: asyncio.StreamWriter) -> None:
        raise OSError(107, "Transport endpoint is not connected")

    # As uvloop has it.
    monkeypatch.setattr(asyncio.StreamWriter, "wait_closed", reset)
    _, writer = await world.say(ASKED % b"wait")
    await eventually(lambda: world.app.open, "it is asked")
    caplog.clear()
    writer.transport.abort()
    await world.gone()
    await asyncio.sleep(0)
    assert not caplog.records


async def test_who_leaves_in_the_middle_of_an_answer_with_more_to_ask_leaves_nothing(world: World) -> None:
    reader, writer = await world.say(ASKED % b"stream" + ASKED % b"x")
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
    writer.transport.abort()
    await world.gone()


@pytest.mark.parametrize("count", [2, 500])
async def test_all_that_is_asked_at_once_is_answered_in_order(world: World, count: int) -> None:
    reader, writer = await world.say((ASKED % b"x") * (count - 1) + CHUNKED % b"x" + b"1\r\nx\r\n0\r\n\r\n")
    for _ in range(count):
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\nok"), SECONDS)
        assert head.startswith(b"HTTP/1.1 200")
    writer.close()
    await world.gone()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (CHUNKED % b"wait" + b"1\r\nx\r\nwrong\r\n", 400),
        (SOCKET.replace(b"version: 13", b"version: 12"), 400),
        (SOCKET.replace(b"sec-websocket-key", b"x-key"), 400),
        (LATE + FRAME, 400),
        (b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n", 501),
        (b"GET / HTTP/3.0\r\nhost: x\r\n\r\n", 505),
    ],
)
async def test_who_is_refused_keeps_no_connection(world: World, said: bytes, status: int) -> None:
    reader, writer = await world.say(said)
    heard = await asyncio.wait_for(reader.read(-1), SECONDS)
    assert heard.startswith(b"HTTP/1.1 %d" % status)
    writer.close()
    await world.gone()


async def test_a_message_without_end_is_the_last(world: World) -> None:
    reader, writer = await world.say(SOCKET)
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
    writer.write(FRAGMENT)
    for _ in range(30):
        writer.write(NEXT)
    heard = await asyncio.wait_for(reader.read(-1), SECONDS)
    # Too large (RFC 6455 section 7.4.1).
    assert heard == b"\x88\x02" + (1009).to_bytes(2)
    assert not world.app.open
    writer.close()
    await world.gone()


async def test_http2_is_not_what_a_connection_is_upgraded_to(world: World) -> None:
    upgrade = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: !\r\n\r\n"
    reader, writer = await world.say((ASKED % b"x")[:-2] + upgrade)
    assert (await asyncio.wait_for(reader.readuntil(b"ok"), SECONDS)).startswith(b"HTTP/1.1 200")
    writer.close()
    await world.gone()
