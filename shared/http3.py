"""HTTP/3 for an ASGI app, over aioquic: the only door to it, with http3_fields.py. Each request is a task;
who leaves is noticed, who does not read is waited for, and one connection cannot hold up another.

hypercorn's own does none of these. No WebSockets, no 0-RTT, no server push, no trailers.
"""

import asyncio
import logging
import socket
from functools import partial
from typing import Any

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import QuicServer
from aioquic.h3.connection import H3_ALPN, ErrorCode
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import (
    ConnectionTerminated,
    ProtocolNegotiated,
    QuicEvent,
    StopSendingReceived,
    StreamReset,
)
from msgspec import Struct

from shared.http3_fields import BoundedH3
from shared.http3_scope import Message, scope_of
from shared.tls import Listening

_LOG = logging.getLogger("gatestack.server")  # noqa: TID251  as the other server's
# Of bodies that no app has read yet. Past it datagrams are dropped, and QUIC sends them again.
_UNREAD_BYTES = 2**20
# Of an answer that the client has not confirmed yet: whoever writes more waits.
_UNSENT_BYTES = 2**19
_BODILESS = frozenset((204, 304))


class Serving(Struct):
    """What all connections of one server share. `stopping` refuses new requests."""

    app: Any
    header_bytes: int
    tasks: set[asyncio.Task[None]]
    stopping: bool = False


class Http3Server:
    """Serves `app` on a bound datagram socket, with the certificate that `tls` has at the time."""

    def __init__(
        self, app: Any, bound: socket.socket, tls: Listening, *, header_bytes: int, idle_seconds: float
    ) -> None:
        self._bound = bound
        self._serving = Serving(app, header_bytes, set())
        self._tls = tls.tls
        self._settings = QuicConfiguration(
            is_client=False, alpn_protocols=H3_ALPN, idle_timeout=idle_seconds, max_data=4 * _UNREAD_BYTES
        )
        self._read_certificate()
        tls.on_reload = self._read_certificate

    async def serve(self, stop: asyncio.Event, grace_seconds: float) -> None:
        """Until `stop` is set; open requests then have `grace_seconds` before they are cancelled."""
        # A client proves its address before it costs us anything.
        make = partial(
            QuicServer,
            configuration=self._settings,
            create_protocol=partial(Connection, self._serving),
            retry=True,
        )
        _, server = await asyncio.get_running_loop().create_datagram_endpoint(make, sock=self._bound)
        try:
            await stop.wait()
            self._serving.stopping = True
            if self._serving.tasks:
                await asyncio.wait(self._serving.tasks, timeout=grace_seconds)
        finally:
            tasks = list(self._serving.tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            server.close()

    def _read_certificate(self) -> None:
        self._settings.load_cert_chain(self._tls.certificate, self._tls.key)


class Connection(QuicConnectionProtocol):
    """One client's connection and its open requests."""

    def __init__(self, serving: Serving, quic: QuicConnection, stream_handler: Any = None) -> None:
        super().__init__(quic, stream_handler)
        self.unread = 0
        self.http: BoundedH3 | None = None
        self._serving = serving
        self._client: tuple[str, int] | None = None
        self._requests: dict[int, Request] = {}
        self._keeper: asyncio.Handle = self._loop.call_soon(_nothing)

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        self._client = (addr[0], addr[1])
        if self.unread >= _UNREAD_BYTES:
            return
        try:
            super().datagram_received(data, addr)
        except Exception:
            # Whatever a client sends, it ends no connection but its own.
            _LOG.exception("an HTTP/3 connection failed")
            self.close(error_code=ErrorCode.H3_INTERNAL_ERROR)

    def transmit(self) -> None:
        super().transmit()
        for request in self._requests.values():
            request.look_for_room()

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            # Somewhat more than is taken, so that who sends too much can be told.
            self.http = BoundedH3(self._quic, 2 * self._serving.header_bytes)
            self._keep_alive()
        elif isinstance(event, ConnectionTerminated):
            self._keeper.cancel()
            for request in list(self._requests.values()):
                request.leave()
        elif isinstance(event, StreamReset | StopSendingReceived) and event.stream_id in self._requests:
            self._requests[event.stream_id].leave()
        for found in self.http.handle_event(event) if self.http is not None else ():
            if isinstance(found, HeadersReceived):
                self._headers(found)
            elif isinstance(found, DataReceived) and found.stream_id in self._requests:
                self._requests[found.stream_id].body(found.data, ended=found.stream_ended)

    def unsent(self, stream_id: int) -> int:
        """How many bytes of an answer the client has not confirmed. aioquic has no public word for it."""
        stream = self._quic._streams.get(stream_id)
        return len(stream.sender._buffer) if stream is not None else 0

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        self._quic.reset_stream(stream_id, code)
        self.transmit()

    def refuse_more(self, stream_id: int) -> None:
        """Asks the client not to send the rest of a body that nobody will read."""
        self._quic.stop_stream(stream_id, ErrorCode.H3_NO_ERROR)
        self.transmit()

    def _keep_alive(self) -> None:
        """An open request may be silent for longer than a connection without one may be idle."""
        if self._requests:
            self._quic.send_ping(0)
            self.transmit()
        self._keeper = self._loop.call_later(self._quic.configuration.idle_timeout / 3, self._keep_alive)

    def _headers(self, event: HeadersReceived) -> None:
        known = self._requests.get(event.stream_id)
        if known is not None:
            # Trailers: nobody reads them, but they may be the end.
            known.body(b"", ended=event.stream_ended)
            return
        if self._serving.stopping:
            self.reset(event.stream_id, ErrorCode.H3_REQUEST_REJECTED)
            return
        request = Request(self, event.stream_id)
        size = sum(len(name) + len(value) for name, value in event.headers)
        here = self._transport.get_extra_info("sockname") if self._transport is not None else None
        scope = scope_of(event.headers, self._client, here)
        if scope is None or size > self._serving.header_bytes:
            request.answer(400 if scope is None else 431)
            return
        self._requests[event.stream_id] = request
        if event.stream_ended:
            request.body(b"", ended=True)
        task = asyncio.create_task(self._run(request, scope))
        self._serving.tasks.add(task)
        task.add_done_callback(self._serving.tasks.discard)

    async def _run(self, request: "Request", scope: Message) -> None:
        request.bodiless = scope["method"] == "HEAD"
        try:
            await self._serving.app(scope, request.receive, request.send)
        except Exception:
            _LOG.exception("an HTTP/3 request failed")
        finally:
            del self._requests[request.stream_id]
            request.close()


class Request:
    """One stream as ASGI sees it."""

    def __init__(self, connection: Connection, stream_id: int) -> None:
        self.stream_id = stream_id
        self.bodiless = False
        self._connection = connection
        # One piece, however many it came in: each of a few bytes would take a hundred times as many.
        self._unread = bytearray()
        self._heard = asyncio.Event()
        self._room = asyncio.Event()
        self._whole = self._told = self._left = self._started = self._ended = False

    def body(self, data: bytes, *, ended: bool) -> None:
        self._whole = self._whole or ended
        self._connection.unread += len(data)
        self._unread += data
        self._heard.set()

    def leave(self) -> None:
        """The client is gone, or wants no more of it."""
        self._left = True
        self._heard.set()
        self._room.set()

    def look_for_room(self) -> None:
        if not self._room.is_set() and self._connection.unsent(self.stream_id) < _UNSENT_BYTES:
            self._room.set()

    async def receive(self) -> Message:
        while not self._unread and (self._told or not self._whole):
            if self._left:
                return {"type": "http.disconnect"}
            self._heard.clear()
            await self._heard.wait()
        body, self._unread = bytes(self._unread), bytearray()
        self._connection.unread -= len(body)
        self._told = self._whole
        return {"type": "http.request", "body": body, "more_body": not self._whole}

    async def send(self, message: Message) -> None:
        if self._left or self._connection.http is None:
            return
        if message["type"] == "http.response.start":
            self.bodiless = self.bodiless or message["status"] in _BODILESS
            self._start(message["status"], message.get("headers", ()))
        elif message["type"] == "http.response.body":
            await self._write(message.get("body", b""), ended=not message.get("more_body", False))

    def answer(self, status: int) -> None:
        """An answer without an app."""
        self._start(status, [(b"content-length", b"0")])
        self._finish(b"")

    def close(self) -> None:
        """After the app: what it left open is broken off."""
        self._connection.unread -= len(self._unread)
        self._unread.clear()
        if self._left:
            return
        if not self._started:
            self.answer(500)
        elif not self._ended:
            self._connection.reset(self.stream_id, ErrorCode.H3_INTERNAL_ERROR)
        if not self._whole:
            self._connection.refuse_more(self.stream_id)

    def _start(self, status: int, headers: Any) -> None:
        assert self._connection.http is not None
        self._started = True
        named = [(name.lower(), value) for name, value in headers]
        self._connection.http.send_headers(self.stream_id, [(b":status", b"%d" % status), *named])
        self._connection.transmit()

    async def _write(self, data: bytes, *, ended: bool) -> None:
        data = b"" if self.bodiless else data
        if ended:
            self._finish(data)
        elif data and self._connection.http is not None:
            self._connection.http.send_data(self.stream_id, data, end_stream=False)
            self._connection.transmit()
        if self._connection.unsent(self.stream_id) >= _UNSENT_BYTES:
            self._room.clear()
            await self._room.wait()

    def _finish(self, data: bytes) -> None:
        assert self._connection.http is not None
        self._ended = True
        self._connection.http.send_data(self.stream_id, data, end_stream=True)
        self._connection.transmit()


def _nothing() -> None:
    """What a timer does that is not yet set."""
