"""A client that speaks HTTP/2 frame by frame, for what no HTTP library would do with it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

import h2.config
import h2.connection
import h2.events
import h2.settings

from tests.support.tls import HOST


class Http2Client:
    """One connection. `events` are all that has come in. Only while it `reads` there is new room for more."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.events: list[h2.events.Event] = []
        self.reads = True
        self._reader = reader
        self._writer = writer
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.h2.initiate_connection()
        self._task = asyncio.create_task(self._listen())

    def begin(self, *headers: tuple[str, str], ended: bool = True) -> int:
        """Sends headers as they are, and returns the stream."""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, headers, end_stream=ended)
        self.flush()
        return stream

    def flush(self) -> None:
        self._writer.write(self.h2.data_to_send())

    async def send(self, stream: int, body: bytes, *, ended: bool) -> None:
        """Sends a body as fast as it is taken."""
        while body:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body))
            if room:
                self.h2.send_data(stream, body[:room])
                body = body[room:]
                self.flush()
            await asyncio.sleep(0 if room else 0.005)
        if ended:
            self.h2.end_stream(stream)
            self.flush()

    def status(self, stream: int) -> int:
        """0 before there is one."""
        for event in self.events:
            if isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream:
                named = {str(name): value for name, value in event.headers}
                return int(named[":status"])
        return 0

    def body(self, stream: int) -> bytes:
        return b"".join(
            event.data
            for event in self.events
            if isinstance(event, h2.events.DataReceived) and event.stream_id == stream
        )

    def over(self, stream: int) -> bool:
        """Has this stream, or the connection, come to its end?"""
        ends = (h2.events.StreamEnded, h2.events.StreamReset)
        return self._task.done() or any(
            isinstance(event, ends) and event.stream_id == stream for event in self.events
        )

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()

    async def _listen(self) -> None:
        self.flush()
        while data := await self._reader.read(65_536):
            for event in self.h2.receive_data(data):
                self.events.append(event)
                if self.reads and isinstance(event, h2.events.DataReceived):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.flush()


@contextlib.asynccontextmanager
async def http2(port: int, trust: ssl.SSLContext | None = None) -> AsyncIterator[Http2Client]:
    """A connection to a server on this machine, over TLS where there is a `trust`."""
    if trust is not None:
        trust.set_alpn_protocols(["h2"])
    client = Http2Client(*await asyncio.open_connection(HOST, port, ssl=trust))
    try:
        yield client
    finally:
        await client.close()
