"""Calls go out and come back as bytes over real sockets, and every way an upstream can fail has its own
error.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from shared.errors import UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from shared.http_client import HttpClient
from tests.support.wait import SECONDS

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def upstream(peer: Peer) -> AsyncIterator[str]:
    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await peer(reader, writer)
        writer.close()

    server = await asyncio.start_server(session, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    finally:
        server.close()


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


async def test_an_answer_comes_back_as_it_was_sent(client: HttpClient) -> None:
    async def peer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 418 no\r\nX-Odd: a\r\nX-Odd: b\r\nContent-Length: 5\r\n"
            b"Content-Encoding: gzip\r\n\r\nbytes"
        )

    async with (
        upstream(peer) as url,
        await client.send("POST", url, body=b"in", headers=[("a", "b")]) as reply,
    ):
        assert reply.status == 418
        assert [value for name, value in reply.headers if name == b"x-odd"] == [b"a", b"b"]
        assert await reply.read(100) == b"bytes"


@pytest.mark.parametrize("path", ["/a%2Cb", "/a%3Bb", "/%2e%2e/b", "/a//b", "/a%2Fb", "/a?x=%2C%26&y=a+b"])
async def test_an_address_is_asked_for_as_it_was_written(client: HttpClient, path: str) -> None:
    heard = []

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readuntil(b"\r\n\r\n")).split()[1].decode())
        writer.write(b"HTTP/1.1 204 ok\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(session, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with await client.send("GET", f"http://127.0.0.1:{port}{path}", header_timeout=5):
            assert heard == [path]


async def test_the_first_chunk_arrives_before_the_last_is_sent(client: HttpClient) -> None:
    seen = asyncio.Event()

    async def peer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 ok\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await writer.drain()
        await asyncio.wait_for(seen.wait(), SECONDS)
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    chunks = []
    async with upstream(peer) as url, await client.send("GET", url) as reply:
        async for chunk in reply.chunks():
            chunks.append(chunk)
            seen.set()
    assert chunks == [b"one", b"two"]


async def test_nobody_listening_is_unreachable(client: HttpClient) -> None:
    with pytest.raises(UpstreamUnreachable):
        await client.send("GET", "http://127.0.0.1:1/x")


async def test_an_upstream_that_hangs_up_before_answering_is_unreachable(client: HttpClient) -> None:
    async def peer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with upstream(peer) as url:
        with pytest.raises(UpstreamUnreachable):
            await client.send("GET", url)


async def test_an_upstream_that_answers_no_http_is_unreachable(client: HttpClient) -> None:
    async def peer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-hello\r\n\r\n")

    async with upstream(peer) as url:
        with pytest.raises((UpstreamUnreachable, UpstreamBroken)):
            await client.send("GET", url)


async def test_an_upstream_that_never_answers_times_out(client: HttpClient) -> None:
    async def peer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with upstream(peer) as url:
        with pytest.raises(UpstreamTimeout):
            await client.send("GET", url, header_timeout=0.05)


async def test_an_answer_cut_in_the_middle_is_broken_and_a_silent_one_times_out(client: HttpClient) -> None:
    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 ok\r\nContent-Length: 50\r\n\r\nhalf")
        await writer.drain()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 ok\r\nContent-Length: 50\r\n\r\nhalf")
        await reader.read()

    async with upstream(cut) as url, await client.send("GET", url) as reply:
        with pytest.raises(UpstreamBroken):
            await reply.read(100)
    async with upstream(silent) as url, await client.send("GET", url, idle_timeout=0.05) as reply:
        with pytest.raises(UpstreamTimeout):
            await reply.read(100)


async def test_a_chunk_without_a_size_is_broken_at_once_however_late_it_comes(client: HttpClient) -> None:
    read = asyncio.Event()

    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 ok\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await read.wait()
        writer.write(b"zz\r\nhello\r\n0\r\n\r\n")
        await reader.read()

    async with upstream(broken) as url, await client.send("GET", url) as reply:
        chunks = reply.chunks()
        assert await anext(chunks) == b"hello"
        read.set()
        with pytest.raises(UpstreamBroken):
            await anext(chunks)


async def test_an_answer_over_the_cap_is_refused(client: HttpClient) -> None:
    async def peer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 ok\r\nContent-Length: 50\r\n\r\n" + b"x" * 50)

    async with upstream(peer) as url, await client.send("GET", url) as reply:
        with pytest.raises(UpstreamBroken, match="10 bytes"):
            await reply.read(10)


async def test_leaving_early_closes_the_connection(client: HttpClient) -> None:
    gone = asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 ok\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await reader.read()
        gone.set()

    async with upstream(peer) as url:
        async with await client.send("GET", url) as reply:
            assert await anext(aiter(reply.chunks())) == b"one"
        await asyncio.wait_for(gone.wait(), SECONDS)
