"""A TLS handshake that does not come to its end is ended, and keeps nobody else waiting meanwhile."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared import server
from shared.server import Clients
from tests.support.patient import app
from tests.support.serve import serving
from tests.support.tls import HOST, Authority
from tests.support.wait import SECONDS, eventually

ASKED = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
FEW = Clients(connections=2)


def _hello() -> bytes:
    """How a client begins."""
    sent = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname=HOST)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()


HELLO = _hello()
# Nothing, a byte, half of a record, and all that a client says first and then nothing.
STALLS = (b"", HELLO[:1], HELLO[: len(HELLO) // 2], HELLO)


class Door:
    def __init__(self, url: str, authority: Path) -> None:
        self._port = int(url.rpartition(":")[2])
        self._trust = ssl.create_default_context(cafile=str(authority))

    @contextlib.asynccontextmanager
    async def stalled(self, said: bytes) -> AsyncIterator[asyncio.StreamReader]:
        reader, writer = await asyncio.open_connection(HOST, self._port)
        writer.write(said)
        try:
            yield reader
        finally:
            writer.close()

    async def ask(self) -> bytes:
        """The status line that somebody gets who comes now."""
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(HOST, self._port, ssl=self._trust)
            writer.write(ASKED)
            try:
                return (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0]
            finally:
                writer.close()


@contextlib.asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[Door]:
    authority = Authority(directory)
    async with serving(app, authority.tls(), clients=FEW) as url:
        yield Door(url, authority.path)


async def _ended(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(reader.read(-1), SECONDS)


@pytest.mark.parametrize("said", STALLS, ids=["nothing", "a byte", "half", "hello"])
async def test_a_handshake_that_stalls_is_ended(
    tmp_path: Path, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_HANDSHAKE_SECONDS", 0.2)
    async with opened(tmp_path) as door, door.stalled(said) as reader:
        await _ended(reader)


async def test_handshakes_that_stall_keep_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_HANDSHAKE_SECONDS", 10 * SECONDS)
    async with opened(tmp_path) as door, contextlib.AsyncExitStack() as stack:
        for said in STALLS * 5:
            await stack.enter_async_context(door.stalled(said))

        async def served() -> bool:
            # Who asked before may not be gone yet, and there are places for two.
            return await door.ask() == b"HTTP/1.1 200 "

        for _ in range(3):
            await eventually(served, "somebody who does say what it wants is answered")


async def test_a_stop_does_not_wait_for_handshakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_HANDSHAKE_SECONDS", 10 * SECONDS)
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(SECONDS), opened(tmp_path) as door:
        for said in STALLS:
            await stack.enter_async_context(door.stalled(said))
