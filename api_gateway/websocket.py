"""One WebSocket as a request of the edge: refused with an HTTP answer, accepted, and closed exactly once."""

import struct
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from shared.asgi import Exchange, Message, Receive, Scope, Send
from shared.dialects import Rendered
from shared.dialects.plain import Plain
from shared.errors import ClientGone, GatestackError, Refusal, TooLarge, UpstreamTimeout
from shared.websocket_client import Closed

# RFC 6455 section 7.4.1: these say that there was no code, and never travel.
_NO_CODE, _UNSENT = 1005, frozenset((1004, 1006, 1015))
_REASON_BYTES = 123


class WebSocketRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`origins` are the web pages that may connect (`https://app.example.com`; `*` is any): none unless
    listed. Without a word for `idle_seconds`, and after `longest_seconds` in any case, it is closed.
    """

    origins: list[str] = []
    max_message_bytes: Annotated[int, Meta(ge=1, le=1_048_576)] = 1_048_576
    idle_seconds: Annotated[float, Meta(gt=0)] = 300.0
    longest_seconds: Annotated[float, Meta(gt=0)] = 3600.0


class WebSocketExchange(Exchange):
    """An Exchange whose reply is an HTTP answer until it is accepted, and then a close frame's payload: two
    bytes of code, and a reason.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__({**scope, "method": "GET"}, receive, send)
        self.accepted = False
        # A handshake has no body: whoever asks for one must not take the first message for it.
        self._consumed = True
        self.offered: Sequence[str] = scope.get("subprotocols", ())

    @property
    def expects_body(self) -> bool:
        # Nobody but the relay reads what the client sends.
        return True

    async def accept(self, protocol: str | None) -> None:
        """Opens it. Raises ClientGone."""
        if (await self._receive())["type"] != "websocket.connect":
            raise ClientGone
        self.accepted = self.started = True
        self.status = 101
        if self.on_start is not None:
            self.on_start()
        await self._send({"type": "websocket.accept", "subprotocol": protocol, "headers": self.stamps})

    async def receive(self) -> str | bytes | None:
        """The client's next message, None once it has left."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return None
        text: str | None = message.get("text")
        found: bytes = message.get("bytes") or b""
        return text if text is not None else found

    async def say(self, message: str | bytes) -> None:
        kind = "text" if isinstance(message, str) else "bytes"
        await self._send({"type": "websocket.send", kind: message})

    async def _put(self, message: Message) -> None:
        if not self.accepted:
            await super()._put({**message, "type": f"websocket.{message['type']}"})
        elif not message.get("more_body"):
            payload = message["body"]
            code = int.from_bytes(payload[:2]) if payload else 1000
            reason = payload[2:].decode(errors="ignore")
            await super()._put({"type": "websocket.close", "code": code, "reason": reason})


class Closing:
    """The dialect of a WebSocket that is open: a failure is a close frame."""

    def refusal(self, error: GatestackError, request_id: str) -> Rendered:
        return Plain().refusal(error, request_id)

    def event(self, error: GatestackError, request_id: str) -> bytes:
        return close_frame(Closed(_code(error), error.detail))


def close_frame(closed: Closed) -> bytes:
    """The payload of a close frame; codes that must not travel become ones that may."""
    code = 1011 if closed.code in _UNSENT else closed.code
    if code == _NO_CODE:
        return b""
    reason = closed.reason.encode()[:_REASON_BYTES].decode(errors="ignore").encode()
    return struct.pack("!H", code) + reason


def _code(error: GatestackError) -> int:
    if isinstance(error, TooLarge):
        return 1009
    if isinstance(error, UpstreamTimeout):
        return 1001
    return 1008 if isinstance(error, Refusal) else 1011
