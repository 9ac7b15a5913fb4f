"""What a client may take of the edge's time and memory: headers and bodies that come too slowly, or are too
large, are cut.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api_gateway.fronted import Front, fronted
from tests.api_gateway.witness import Witness, witness

CLIENTS = {"header_seconds": 0.5, "body_idle_seconds": 0.5, "body_seconds": 1.0, "header_bytes": 8192}
POST = b"POST /r0/x HTTP/1.1\r\nhost: edge.test\r\ncontent-length: 50\r\n"


@contextlib.asynccontextmanager
async def capped(directory: Path) -> AsyncIterator[tuple[Front, Witness]]:
    async with (
        witness() as service,
        fronted(directory, {"urls": [service.url]}, clients=CLIENTS) as front,
    ):
        yield front, service


async def trickled(front: Front, said: bytes, every: float | None) -> bytes:
    """What comes back, until it is closed, when after `said` a byte follows every so many seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", front.port)

    async def more() -> None:
        with contextlib.suppress(ConnectionError):
            while every is not None:
                await asyncio.sleep(every)
                writer.write(b"x")
                await writer.drain()

    writer.write(said.replace(b"KEY", front.key.encode()))
    task = asyncio.create_task(more())
    try:
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(reader.read(), 10)
        return b""
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        writer.close()


@pytest.mark.parametrize("every", [None, 0.05])
@pytest.mark.parametrize("said", [b"", b"GET /r0/x HT", POST + b"x-slow: "])
async def test_headers_that_do_not_come_to_an_end_are_hung_up_on(
    tmp_path: Path, said: bytes, every: float | None
) -> None:
    async with capped(tmp_path) as (front, service):
        assert not (await trickled(front, said, every)).startswith(b"HTTP/1.1 2")
        assert (await front.ask("/r0/x")).status == 200
    assert len(service.seen) == 1


@pytest.mark.parametrize("every", [None, 0.05])
async def test_a_body_that_does_not_come_to_an_end_is_refused(tmp_path: Path, every: float | None) -> None:
    async with capped(tmp_path) as (front, service):
        said = POST + b"authorization: Bearer KEY\r\n\r\nhello"
        assert (await trickled(front, said, every)).startswith(b"HTTP/1.1 400")
        [entry] = await front.closed()
    assert (entry.outcome, entry.status) == ("refused", 400)
    assert service.seen == []


async def test_headers_that_are_too_large_are_refused(tmp_path: Path) -> None:
    async with capped(tmp_path) as (front, service):
        assert (await trickled(front, b"GET /r0/x HTTP/1.1\r\nx: " + b"x" * 9000, None)).startswith(
            b"HTTP/1.1 431"
        )
        over = b"".join(b"x-%d: %s\r\n" % (n, b"x" * 500) for n in range(18))
        answer = await trickled(front, b"GET /r0/x HTTP/1.1\r\nhost: x\r\n" + over + b"\r\n", None)
    assert answer.startswith(b"HTTP/1.1 4")
    assert service.seen == []
