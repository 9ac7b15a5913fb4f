"""A WebSocket of a client, as hypercorn speaks it, but for how it begins and what ends it. WebSockets to
upstreams are shared/websocket_client.py's business.
"""

from hypercorn.protocol import ws_stream
from hypercorn.protocol.events import Body, Data, Event, StreamClosed
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream
from wsproto.events import CloseConnection
from wsproto.events import Event as Frame
from wsproto.frame_protocol import CloseReason

_REFUSED = (ASGIWebsocketState.RESPONSE, ASGIWebsocketState.HTTPCLOSED)


class Handshake(ws_stream.Handshake):
    """A WebSocket's handshake that takes up no extension: a compressed frame of a few bytes would become one
    of megabytes before anybody has seen its size.
    """

    def __init__(self, headers: list[tuple[bytes, bytes]], http_version: str) -> None:
        super().__init__(headers, http_version)
        self.extensions = None


class WebSocketStream(WSStream):
    """A WebSocket that is over once it has been refused: when it is no handshake, when messages come before
    there is an answer, or one that is too large. Otherwise its client could stay for good, unwatched, and
    what it sends on be kept.
    """

    _over = False

    async def handle(self, event: Event) -> None:
        if isinstance(event, Body | Data) and self.state in _REFUSED:
            return
        self._over = self._over or isinstance(event, StreamClosed)
        await super().handle(event)
        if self.closed and not self._over:
            await self._end()

    async def _send_wsproto_event(self, event: Frame) -> None:
        await super()._send_wsproto_event(event)
        # An app that closes with this reason is in another state by then.
        too_large = isinstance(event, CloseConnection) and event.code == CloseReason.MESSAGE_TOO_BIG
        if too_large and self.state is ASGIWebsocketState.CONNECTED:
            self.closed = True
            self.buffer.clear()

    async def _end(self) -> None:
        self._over = True
        if self.app_put is not None:
            await self.app_put({"type": "websocket.disconnect", "code": CloseReason.ABNORMAL_CLOSURE.value})
        await self.send(StreamClosed(stream_id=self.stream_id))
