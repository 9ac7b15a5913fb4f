"""Clients that send a body piece by piece and can be answered meanwhile, over each protocol: `piece` and
`end` return when what they send is taken, `heard` is what has come of the answer up to now.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import h11
from msgspec import Struct

from tests.support.http2 import Http2Client, http2
from tests.support.http3 import Answering, Http3Client, dialled
from tests.support.tls import HOST

PIECE = b"x" * 65_536


class Heard(Struct, frozen=True):
    """`status` is 0 before there is one."""

    status: int
    body: bytes
    whole: bool


class Sending(Protocol):
    @property
    def heard(self) -> Heard: ...
    async def piece(self) -> None: ...
    async def end(self) -> None: ...


class Http1Sending:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._status, self._body, self._whole = 0, b"", False
        self._http = h11.Connection(h11.CLIENT)
        head = [("host", "x"), ("transfer-encoding", "chunked")]
        writer.write(self._http.send(h11.Request(method="POST", target="/", headers=head)) or b"")
        self._listening = asyncio.create_task(self._listen())

    @property
    def heard(self) -> Heard:
        return Heard(self._status, self._body, self._whole)

    async def piece(self) -> None:
        self._writer.write(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
        await self._writer.drain()

    async def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def leave(self) -> None:
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        self._writer.close()

    async def _listen(self) -> None:
        while data := await self._reader.read(65_536):
            self._http.receive_data(data)
            while type(event := self._http.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                self._hear(event)

    def _hear(self, event: object) -> None:
        if isinstance(event, h11.Response):
            self._status = event.status_code
        elif isinstance(event, h11.Data):
            self._body += event.data
        elif isinstance(event, h11.EndOfMessage):
            self._whole = True


class Http2Sending:
    def __init__(self, client: Http2Client) -> None:
        self._client = client
        asked = (":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", "/")
        self._stream = client.begin(*asked, ended=False)

    @property
    def heard(self) -> Heard:
        client, stream = self._client, self._stream
        return Heard(client.status(stream), client.body(stream), client.over(stream))

    async def piece(self) -> None:
        await self._client.send(self._stream, PIECE, ended=False)

    async def end(self) -> None:
        await self._client.send(self._stream, b"", ended=True)


class Http3Sending:
    """Who is told that nobody reads it stops, as its QUIC does for it."""

    def __init__(self, client: Http3Client) -> None:
        self._client = client
        self._answer: Answering = client.begin("POST", "/", ended=False)

    @property
    def heard(self) -> Heard:
        return Heard(self._answer.status, self._answer.body, self._answer.done.is_set())

    async def piece(self) -> None:
        self._say(PIECE, ended=False)
        await asyncio.sleep(0)

    async def end(self) -> None:
        self._say(b"", ended=True)

    def _say(self, body: bytes, *, ended: bool) -> None:
        if not self._client.told_to_stop:
            self._client.say(self._answer, body, ended=ended)


@contextlib.asynccontextmanager
async def http1_sending(port: int, trust: ssl.SSLContext | None) -> AsyncIterator[Sending]:
    client = Http1Sending(*await asyncio.open_connection(HOST, port, ssl=trust))
    try:
        yield client
    finally:
        await client.leave()


@contextlib.asynccontextmanager
async def http2_sending(port: int, trust: ssl.SSLContext | None) -> AsyncIterator[Sending]:
    async with http2(port, trust) as client:
        yield Http2Sending(client)


@contextlib.asynccontextmanager
async def http3_sending(port: int, authority: Path) -> AsyncIterator[Sending]:
    async with dialled(port, authority) as client:
        yield Http3Sending(client)
