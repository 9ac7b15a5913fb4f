"""HTTP/2 as hypercorn speaks it, but for what one stream may do to the others, and a client to all of us."""

import asyncio
import contextlib
from functools import partial
from typing import Any

from h2 import events
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body, Request, StreamClosed
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.typing import AppWrapper, ASGIReceiveCallable, ASGIReceiveEvent, Scope
from hypercorn.utils import filter_pseudo_headers

from shared.calm import Calm
from shared.early_answer import LINGER_SECONDS
from shared.unsent import Unsent
from shared.websocket_stream import WebSocketStream

Fields = list[tuple[bytes, bytes]]

# Of all bodies of a connection that no app has taken yet. Of each there are no more than 64 KiB.
_UNREAD_BYTES = 2**20
_WINDOW = 65_535
# A frame may be nine bytes: whoever sends many in one piece keeps nobody else waiting for all of them.
_AT_ONCE = 8_192
# Of its apps that may still be at work, open streams' and those of streams that were taken back.
_RUNNING = 200


class Http2(H2Protocol):
    """HTTP/2 where a stream that nobody reads holds up no other, nothing stays of a stream that is over, and
    who only keeps us busy is sent away. Priorities are not looked at (RFC 9113 section 5.3.2).

    A connection counts as unused before its first stream, and when its client has given up the last one.
    """

    def __init__(self, app: AppWrapper, config: Config, *rest: Any) -> None:
        super().__init__(app, config, *rest)
        self.connection.decoder.max_header_list_size = config.h2_max_header_list_size
        self._calm = Calm()
        self._running = 0
        self._unread: dict[int, int] = {}
        # Streams whose client has not said all of it.
        self._unfinished: set[int] = set()

    async def initiate(self, headers: Fields | None = None, settings: bytes | None = None) -> None:
        await super().initiate(headers, settings)
        self.connection.increment_flow_control_window(_UNREAD_BYTES - _WINDOW)
        await self._flush()
        await self.send(Updated(idle=self.idle))

    async def handle(self, event: Event) -> None:
        if isinstance(event, RawData):
            await self._receive(event.data[:_AT_ONCE])
            for start in range(_AT_ONCE, len(event.data), _AT_ONCE):
                await asyncio.sleep(0)
                await self._receive(event.data[start : start + _AT_ONCE])
        elif not self.closed:
            await super().handle(event)
            for stream_id in list(self.stream_buffers):
                await self._drop(stream_id)

    async def _receive(self, data: bytes) -> None:
        if self.closed:
            return
        try:
            found = self.connection.receive_data(data)
        except ProtocolError:
            await self._end()
        else:
            await self._handle_events(found)

    async def _handle_events(self, found: list[events.Event]) -> None:
        for event in found:
            if self._calm.lost(event):
                self.connection.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
                await self._end()
                return
            await self._handle_event(event)
        await self._flush()

    async def _handle_event(self, event: events.Event) -> None:
        if isinstance(event, events.DataReceived):
            await self._heard(event)
        elif isinstance(event, events.StreamReset):
            self._unfinished.discard(event.stream_id)
            await self._drop(event.stream_id)
            await self._close_stream(event.stream_id)
            await self.send(Updated(idle=self.idle))
        elif isinstance(event, events.ConnectionTerminated):
            await self._end()
        elif not isinstance(event, events.PriorityUpdated):
            if isinstance(event, events.StreamEnded):
                self._unfinished.discard(event.stream_id)
            await super()._handle_events([event])
            if isinstance(event, events.RequestReceived) and event.stream_id not in self.streams:
                await self.send(Updated(idle=self.idle))

    async def _end(self) -> None:
        """First for whatever is open, which need not wait until everything is sent."""
        await self.handle(Closed())
        await self._flush()
        await self.send(Closed())

    async def _create_stream(self, request: events.RequestReceived) -> None:
        self._calm.earn()
        stream_id, fields = request.stream_id, dict(request.headers[:8])
        if request.stream_ended is None:
            self._unfinished.add(stream_id)
        method, path = fields.get(b":method", b""), fields.get(b":path", b"")
        if self._running >= _RUNNING:
            self._reset(stream_id, ErrorCodes.REFUSED_STREAM)
        elif not path or not (method.isascii() and path.isascii()):
            refusal = [(b":status", b"400"), (b"content-length", b"0")]
            self.connection.send_headers(stream_id, refusal, end_stream=True)
            self._linger(stream_id)
        else:
            await self._begin(request, method.decode().upper(), path)

    async def _begin(self, request: events.RequestReceived, method: str, path: bytes) -> None:
        stream_id = request.stream_id
        kind = WebSocketStream if method == "CONNECT" else HTTPStream
        stream = kind(
            partial(self._run, stream_id),
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            stream_id,
        )
        self.streams[stream_id] = stream
        self.stream_buffers[stream_id] = Unsent(self.context.event_class)
        self.priority.insert_stream(stream_id)
        self.priority.block(stream_id)
        self._running += 1
        self.keep_alive_requests += 1
        await stream.handle(
            Request(
                stream_id=stream_id,
                headers=filter_pseudo_headers(request.headers),
                http_version="2",
                method=method,
                raw_path=path,
                state=self.connection_state,
            )
        )

    async def _run(self, stream_id: int, scope: Scope, receive: ASGIReceiveCallable, *rest: Any) -> None:
        async def taken() -> ASGIReceiveEvent:
            message = await receive()
            if stream_id in self._unread and message["type"] == "http.request":
                await self._taken(stream_id, len(message["body"]))
            return message

        try:
            await self.app(scope, taken, *rest)
        finally:
            self._running -= 1

    async def _heard(self, event: events.DataReceived) -> None:
        """What the app has not taken yet is not asked for again: it is the stream's own window that fills,
        and nobody waits here.
        """
        stream_id, size = event.stream_id, event.flow_controlled_length
        stream = self.streams.get(stream_id)
        if isinstance(stream, HTTPStream):
            size -= len(event.data)
            self._unread[stream_id] = self._unread.get(stream_id, 0) + len(event.data)
        if stream is not None:
            await stream.handle(Body(stream_id=stream_id, data=event.data))
        self.connection.acknowledge_received_data(size, stream_id)

    async def _taken(self, stream_id: int, size: int) -> None:
        size = min(size, self._unread[stream_id])
        self._unread[stream_id] -= size
        self.connection.acknowledge_received_data(size, stream_id)
        await self._flush()

    async def _send_data(self, stream_id: int) -> None:
        buffer = self.stream_buffers[stream_id]
        try:
            window = self.connection.local_flow_control_window(stream_id)
            data = await buffer.pop(max(0, min(window, self.connection.max_outbound_frame_size)))
            if data:
                self._calm.earn()
                self.connection.send_data(stream_id, data)
                await self._flush()
            else:
                self.priority.block(stream_id)
            if buffer.complete and stream_id in self.stream_buffers:
                self.connection.end_stream(stream_id)
                await self._drop(stream_id)
                await self._flush()
        except ProtocolError:
            await self._drop(stream_id)

    async def _close_stream(self, stream_id: int) -> None:
        stream = self.streams.pop(stream_id, None)
        if stream is None:
            return
        await stream.handle(StreamClosed(stream_id=stream_id))
        if unread := self._unread.pop(stream_id, 0):
            self.connection.acknowledge_received_data(unread, stream_id)
        buffer = self.stream_buffers.get(stream_id)
        if buffer is not None and not buffer.complete:
            # Nobody will say the rest of it, or nobody would hear it.
            await self._drop(stream_id)
            self._reset(stream_id, ErrorCodes.INTERNAL_ERROR)
        self._linger(stream_id)
        await self._flush()

    async def _drop(self, stream_id: int) -> None:
        buffer = self.stream_buffers.pop(stream_id, None)
        if buffer is not None:
            self.priority.remove_stream(stream_id)
            await buffer.close()

    def _linger(self, stream_id: int) -> None:
        """Whoever is answered in the middle of its body may stop sending (RFC 9113 section 8.1). Many clients
        take that for a failure, where they hear it before they have read the answer.
        """
        if stream_id in self._unfinished and not self.closed:
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._cut, stream_id)

    def _cut(self, stream_id: int) -> None:
        if stream_id in self._unfinished and not self.closed:
            self._reset(stream_id, ErrorCodes.NO_ERROR)
            self.task_group.spawn(self._flush)

    def _reset(self, stream_id: int, code: ErrorCodes) -> None:
        self._unfinished.discard(stream_id)
        with contextlib.suppress(ProtocolError):
            self.connection.reset_stream(stream_id, code)
