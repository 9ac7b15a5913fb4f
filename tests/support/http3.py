"""A client that speaks HTTP/3: one request at a time, its answer whole."""

import asyncio
from typing import Any

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.events import QuicEvent


class Http3Client(QuicConnectionProtocol):
    """For `aioquic.asyncio.client.connect(…, create_protocol=Http3Client)`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._http = H3Connection(self._quic)
        self._status = 0
        self._body = b""
        self._done = asyncio.Event()

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: list[tuple[bytes, bytes]] | None = None
    ) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        self._status, self._body = 0, b""
        self._done.clear()
        stream = self._quic.get_next_available_stream_id()
        pseudo = [(b":method", method.encode()), (b":scheme", b"https"), (b":authority", b"edge.test")]
        named = [*pseudo, (b":path", path.encode()), *(headers or [])]
        self._http.send_headers(stream, named, end_stream=not body)
        if body:
            self._http.send_data(stream, body, end_stream=True)
        self.transmit()
        await asyncio.wait_for(self._done.wait(), 10)
        return self._status, self._body

    def quic_event_received(self, event: QuicEvent) -> None:
        for found in self._http.handle_event(event):
            if isinstance(found, HeadersReceived):
                self._status = int(dict(found.headers)[b":status"])
            elif isinstance(found, DataReceived):
                self._body += found.data
            if isinstance(found, HeadersReceived | DataReceived) and found.stream_ended:
                self._done.set()
