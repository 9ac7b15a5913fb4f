"""A connection that nobody uses is closed, one that somebody uses never is: at all of its beginnings and
ends, and when several streams begin and end at once.
"""

import asyncio
import itertools
from functools import partial

import pytest

from shared import connection
from shared.connection import IdleWatch
from shared.server import Clients
from tests.support.http2 import http2
from tests.support.patient import app
from tests.support.serve import serving
from tests.support.wait import SECONDS, eventually

SOON = Clients(header_seconds=1.0)
ASKED = (":method", "GET"), (":scheme", "http"), (":authority", "x")


class Watched:
    """A watch whose task takes its time to end, and what it has been asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "AT_ONCE_SECONDS", 0.0)
        self.started = self.open = 0
        self._watch = IdleWatch()

    async def start(self) -> None:
        """Until the task runs."""
        await self.restart()
        await eventually(lambda: self.open == 1, "the task runs")

    async def restart(self) -> None:
        await self._watch.restart(None, self._action)  # type: ignore[arg-type]

    async def stop(self) -> None:
        await self._watch.stop()

    async def _action(self) -> None:
        self.started += 1
        self.open += 1
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.open -= 1


@pytest.mark.parametrize("before", itertools.product(["restart", "stop"], repeat=2))
@pytest.mark.parametrize("last", ["restart", "stop"])
async def test_what_is_said_last_counts(
    monkeypatch: pytest.MonkeyPatch, before: tuple[str, ...], last: str
) -> None:
    watched = Watched(monkeypatch)
    await watched.start()
    await asyncio.gather(*(getattr(watched, word)() for word in (*before, last)))
    if last == "restart":
        await eventually(lambda: watched.open == 1, "it runs anew")
    for _ in range(10):
        await asyncio.sleep(0)
    assert watched.open == (last == "restart")
    assert watched.started == 1 + watched.open
    await watched.stop()
    assert watched.open == 0


async def _closed(port: int, said: bytes = b"") -> None:
    """Until a connection that says no more than this has been closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    await asyncio.wait_for(reader.read(-1), SECONDS)
    writer.close()


@pytest.mark.parametrize("way", ["begun", "answered", "given up"])
async def test_an_http2_connection_without_a_stream_is_closed(way: str) -> None:
    async with serving(app, clients=SOON) as url, http2(_port(url)) as client:
        if way != "begun":
            path = "/wait" if way == "given up" else "/x"
            stream = client.begin(*ASKED, (":path", path))
            await eventually(lambda: client.status(stream) == 200, "the answer")
            if way == "given up":
                client.h2.reset_stream(stream)
                client.flush()
        await eventually(lambda: client.over(99), "it is closed")


async def test_an_http2_connection_is_kept_while_one_of_its_streams_is_open() -> None:
    async with serving(app, clients=SOON) as url, http2(_port(url)) as client:
        for _ in range(3):
            # The first of each two is answered while the connection learns of the second.
            first, second = client.begin(*ASKED, (":path", "/x")), client.begin(*ASKED, (":path", "/wait"))
            await eventually(partial(client.over, first), "the answer")
            await eventually(partial(client.body, second), "it has begun")
            await _closed(_port(url))
            assert not client.over(second)
            client.h2.reset_stream(second)
            client.flush()


async def test_a_websocket_is_kept_on_a_connection_that_has_been_used_before() -> None:
    async with serving(app, clients=SOON) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", _port(url))
        writer.write(b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
        writer.write(
            b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
        await _closed(_port(url), b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n")
        writer.write(b"\x81\x82\0\0\0\0hi")
        assert await asyncio.wait_for(reader.readexactly(5), SECONDS) == b"\x81\x03yes"
        writer.close()


async def test_a_stop_right_after_an_answer_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    async with serving(app, grace_seconds=SECONDS) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", _port(url))
        writer.write(b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
    assert await asyncio.wait_for(reader.read(-1), SECONDS) == b""
    writer.close()
    assert asyncio.all_tasks() == before


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
