"""Who is answered in the middle of what it sends hears the answer, and leaves nothing behind: neither when it
leaves, nor when it never stops sending.
"""

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest

from shared import connection
from shared.asgi import Receive, Scope, Send
from shared.connection import Connection
from shared.server import Clients
from tests.support.http2 import http2
from tests.support.serve import serving
from tests.support.tls import HOST, Authority
from tests.support.wait import SECONDS, eventually

CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
PIECE = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
TINY = b"1\r\nx\r\n"
SOCKET = (
    b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
# A text of one letter, masked with zeros (RFC 6455 section 5.2).
FRAME = b"\x81\x81\x00\x00\x00\x00x"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without a look at the body."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"full"})


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


async def _heard(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
        return head.lower() + (await reader.readexactly(4) if b"content-length: 4" in head else b"")


async def _gone(served: list[Connection]) -> None:
    await eventually(lambda: not served, "the connection is over")


@pytest.mark.parametrize("secure", [False, True])
async def test_the_answer_is_heard_by_who_sends_on(
    tmp_path: Path, served: list[Connection], secure: bool
) -> None:
    authority = Authority(tmp_path)
    tls = authority.tls() if secure else None
    trust = ssl.create_default_context(cafile=str(authority.path)) if secure else None
    async with serving(app, tls) as url:
        reader, writer = await asyncio.open_connection(HOST, _port(url), ssl=trust)
        writer.write(CHUNKED)
        async with asyncio.timeout(SECONDS):
            # More than all buffers on the way hold.
            for _ in range(300):
                writer.write(PIECE)
                await writer.drain()
        answer = await _heard(reader)
        assert answer.startswith(b"http/1.1 503")
        assert answer.endswith(b"full")
        assert b"connection: close\r\n" in answer
        writer.close()
        await _gone(served)


@pytest.mark.parametrize("sent", [CHUNKED + TINY * 5_000, SOCKET + FRAME * 5_000])
async def test_more_pieces_than_anybody_takes_hold_nothing(served: list[Connection], sent: bytes) -> None:
    async with serving(app) as url:
        reader, writer = await asyncio.open_connection(HOST, _port(url))
        writer.write(sent)
        await _heard(reader)
        writer.close()
        await _gone(served)


async def test_who_never_stops_is_cut(served: list[Connection], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.05)
    async with serving(app) as url:
        _, writer = await asyncio.open_connection(HOST, _port(url))
        writer.write(CHUNKED)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(SECONDS):
                while True:
                    writer.write(PIECE)
                    await writer.drain()
        await _gone(served)
        writer.close()


async def test_who_never_leaves_is_cut(served: list[Connection], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.05)
    async with serving(app) as url:
        reader, writer = await asyncio.open_connection(HOST, _port(url))
        writer.write(CHUNKED)
        await _heard(reader)
        await _gone(served)
        writer.close()


async def test_a_head_that_is_too_long_is_told_so(served: list[Connection]) -> None:
    async with serving(app, clients=Clients(header_bytes=16_384)) as url:
        reader, writer = await asyncio.open_connection(HOST, _port(url))
        async with asyncio.timeout(SECONDS):
            writer.write(b"GET / HTTP/1.1\r\n")
            for n in range(2_000):
                writer.write(b"x-%d: %s\r\n" % (n, b"y" * 10_000))
                await writer.drain()
        assert (await _heard(reader)).startswith(b"http/1.1 431")
        writer.close()
        await _gone(served)


async def test_a_request_that_was_sent_whole_keeps_its_connection(served: list[Connection]) -> None:
    async with serving(app) as url:
        reader, writer = await asyncio.open_connection(HOST, _port(url))
        for _ in range(3):
            writer.write(CHUNKED + TINY + b"0\r\n\r\n")
            assert b"connection:" not in await _heard(reader)
        writer.close()
        await _gone(served)


async def test_other_streams_are_served_beside_one_that_nobody_reads(served: list[Connection]) -> None:
    asked = (":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", "/")
    async with serving(app) as url:
        async with http2(_port(url)) as client:
            first = client.begin(*asked, ended=False)
            for _ in range(500):
                await client.send(first, b"x", ended=False)
            await eventually(lambda: client.status(first) == 503, "the first is answered")
            second = client.begin(*asked)
            await eventually(lambda: client.status(second) == 503, "the second is answered")
        await _gone(served)
