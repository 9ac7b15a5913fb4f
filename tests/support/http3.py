"""A client that speaks HTTP/3: requests whose answers are read whole, or as they come."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, ErrorCode, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent, StopSendingReceived, StreamReset

from tests.support.tls import HOST


class Answering:
    """What has come of an answer; `done` is set at its end, `reset` is the code that broke it off."""

    def __init__(self, stream: int) -> None:
        self.stream = stream
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.size = 0
        self.reset: int | None = None
        self.done = asyncio.Event()


class Http3Client(QuicConnectionProtocol):
    """Made by `dialled`; it keeps no more of an answer than `keep` bytes."""

    keep = 1 << 20

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.http = H3Connection(self._quic)
        self.told_to_stop = False
        self._answers: dict[int, Answering] = {}

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: list[tuple[bytes, bytes]] | None = None
    ) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        answer = self.begin(method, path, headers, ended=not body)
        if body:
            self.say(answer, body, ended=True)
        await asyncio.wait_for(answer.done.wait(), 30)
        return answer.status, answer.body

    def begin(
        self,
        method: str,
        path: str | bytes,
        headers: list[tuple[bytes, bytes]] | None = None,
        *,
        ended: bool = True,
    ) -> Answering:
        """Sends a request's headers."""
        stream = self._quic.get_next_available_stream_id()
        answer = self._answers[stream] = Answering(stream)
        pseudo = [(b":method", method.encode()), (b":scheme", b"https"), (b":authority", b"edge.test")]
        raw = path.encode() if isinstance(path, str) else path
        self.http.send_headers(stream, [*pseudo, (b":path", raw), *(headers or [])], end_stream=ended)
        self.transmit()
        return answer

    def say(self, answer: Answering, body: bytes, *, ended: bool) -> None:
        self.http.send_data(answer.stream, body, end_stream=ended)
        self.transmit()

    def cancel(self, answer: Answering) -> None:
        """Wants no more of it."""
        self._quic.stop_stream(answer.stream, ErrorCode.H3_REQUEST_CANCELLED)
        self.transmit()

    def quic_event_received(self, event: QuicEvent) -> None:
        self.told_to_stop = self.told_to_stop or isinstance(event, StopSendingReceived)
        if isinstance(event, StreamReset) and event.stream_id in self._answers:
            self._answers[event.stream_id].reset = event.error_code
            self._answers[event.stream_id].done.set()
        for found in self.http.handle_event(event):
            if isinstance(found, HeadersReceived | DataReceived):
                self._heard(self._answers[found.stream_id], found)

    def _heard(self, answer: Answering, event: HeadersReceived | DataReceived) -> None:
        if isinstance(event, HeadersReceived):
            answer.headers = dict(event.headers)
            answer.status = int(answer.headers[b":status"])
        else:
            answer.size += len(event.data)
            answer.body += event.data[: self.keep - len(answer.body)]
        if event.stream_ended:
            answer.done.set()


@contextlib.asynccontextmanager
async def dialled(port: int, authority: Path) -> AsyncIterator[Http3Client]:
    """A client's connection to a server on this machine whose authority is in a file."""
    quic = QuicConfiguration(alpn_protocols=H3_ALPN, cafile=str(authority), server_name=HOST)
    async with connect(HOST, port, configuration=quic, create_protocol=Http3Client) as client:
        assert isinstance(client, Http3Client)
        yield client
