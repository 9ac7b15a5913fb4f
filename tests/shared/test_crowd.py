"""There are never more connections than configured, and who works has nothing to fear from who only waits."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.crowd import Crowd
from shared.server import Clients
from tests.support.patient import app
from tests.support.serve import serving
from tests.support.tls import HOST, Authority
from tests.support.wait import SECONDS, eventually

ASKED = b"GET %s HTTP/1.1\r\nhost: x\r\n\r\n"
FEW = Clients(connections=3)


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, path: bytes = b"/") -> bytes:
        """The status line, empty where the connection is closed."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            self._writer.write(ASKED % path)
            head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), SECONDS)
            return head.partition(b"\r\n")[0]
        return b""

    async def closed(self) -> None:
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(self._reader.read(-1), SECONDS)

    async def leave(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


class Door:
    def __init__(self, url: str, trust: ssl.SSLContext | None) -> None:
        self._port, self._trust = int(url.rpartition(":")[2]), trust
        self.clients: list[Client] = []

    async def come(self) -> Client:
        self.clients.append(Client(*await asyncio.open_connection(HOST, self._port, ssl=self._trust)))
        return self.clients[-1]


@pytest.fixture(params=[False, True])
async def door(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    authority = Authority(tmp_path)
    trust = ssl.create_default_context(cafile=str(authority.path)) if request.param else None
    async with serving(app, authority.tls() if request.param else None, clients=FEW) as url:
        door = Door(url, trust)
        yield door
        for each in door.clients:
            await each.leave()


async def test_who_is_unused_for_longest_makes_room(door: Door) -> None:
    first, second, third = [await door.come() for _ in range(3)]
    for each in (first, second, third, first):
        assert await each.ask() == b"HTTP/1.1 200 "
    fourth = await door.come()
    assert await fourth.ask() == b"HTTP/1.1 200 "
    await second.closed()
    for each in (first, third, fourth):
        assert await each.ask() == b"HTTP/1.1 200 "


async def test_who_says_nothing_makes_room_before_who_works(door: Door) -> None:
    works = await door.come()
    assert await works.ask() == b"HTTP/1.1 200 "
    for _ in range(20):
        await door.come()
        assert await works.ask() == b"HTTP/1.1 200 "


async def test_where_all_are_in_use_who_comes_is_told(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    busy = [await door.come() for _ in range(3)]
    for each in busy:
        assert await each.ask(b"/wait") == b"HTTP/1.1 200 "
    for _ in range(2):
        assert await (await door.come()).ask() in (b"HTTP/1.1 503 Service Unavailable", b"")
    assert len([line for line in caplog.messages if "3 connections are open" in line]) == 1
    await busy[0].leave()

    async def served() -> bool:
        return await (await door.come()).ask() == b"HTTP/1.1 200 "

    await eventually(served, "there is a place again")


async def test_members_leave_once() -> None:
    told: list[str] = []
    crowd = Crowd(1)

    def one() -> None:
        told.append("one")

    def two() -> None:
        told.append("two")

    assert crowd.enter(one)
    assert crowd.enter(two)
    # The first is gone: what it still says of itself changes nothing.
    crowd.unused(one)
    crowd.used(two)
    assert not crowd.enter(one)
    assert told == ["one"]
    crowd.leave(two)
    assert crowd.enter(one)
