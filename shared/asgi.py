"""One request and its one reply over raw ASGI: header hygiene, body cap, and the moment before the last byte.

Not for deciding anything: who calls and what may happen is the pipelines' business.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from msgspec import Struct

from shared import trace
from shared.errors import BadRequest, ClientGone, TooLarge
from shared.idle import Idle
from shared.ledger.entry import new_id

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

# Never copied from one connection to the next (RFC 9110 section 7.6.1).
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
BODILESS = frozenset(("GET", "HEAD", "OPTIONS", "DELETE"))


class Patience(Struct, frozen=True):
    """How many seconds may pass between two pieces of a request's body, and until all of it is there: a
    client that stops or trickles would otherwise hold its place for good.
    """

    idle: float = 30.0
    whole: float = 600.0


# Nor may one that reads nothing of its answer, where the bound that a connection has by itself (`server.py`)
# is of no use: many requests share one.
_UNREAD_SECONDS = 40.0
_SHARED = ("2", "3")


class Exchange:
    """One request and its one reply.

    `before_last` runs before the last byte leaves, so that what the caller has seen the end of is on record.
    `body_read` runs once when the request's body has been consumed: from then on a client that leaves can be
    noticed.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: str = scope["query_string"].decode("latin-1")
        # Replaced where they are to be others, never changed in place.
        self.headers: Headers = scope["headers"]
        self._read: Headers | None = None
        self._known: dict[bytes, bytes | None] = {}
        self.path_params: dict[str, str] = scope.get("path_params") or {}
        self.request_id = new_id()
        self.trace = trace.parse(self.header_or_none("traceparent"))
        self.started = False
        self.finished = False
        self.patience = Patience()
        self._unread = Idle(_UNREAD_SECONDS) if scope.get("http_version") in _SHARED else None
        self.status = 0
        self.stamps: list[tuple[bytes, bytes]] = []
        self.before_last: Callable[[], Awaitable[None]] | None = None
        self.on_start: Callable[[], None] | None = None
        self.body_read: Callable[[], None] | None = None
        self._receive = receive
        self._send = send
        self._consumed = False
        self._peeked = b""
        self._seen = 0
        self._waiting: Idle | None = None
        self._end = 0.0

    def header(self, name: str) -> str | None:
        """The value of a header. Raises BadRequest when it stands twice: two readers would take two
        values.
        """
        found = self.header_or_none(name)
        if found is None and name.encode("latin-1") in self._values():
            raise BadRequest(f"the header {name} stands more than once: send it once")
        return found

    def header_or_none(self, name: str) -> str | None:
        """Like `header`, but a doubled header counts as absent: for what is only a hint."""
        found = self._values().get(name.encode("latin-1"))
        return found.decode("latin-1") if found is not None else None

    @property
    def expects_body(self) -> bool:
        if self.scope.get("http_version") in _SHARED and self.method not in BODILESS:
            # HTTP/2 and HTTP/3 frame their bodies themselves: neither header needs to be there.
            return True
        values = self._values()
        return b"content-length" in values or b"transfer-encoding" in values

    def _values(self) -> dict[bytes, bytes | None]:
        """What each header says; None where it stands twice."""
        if self._read is not self.headers:
            self._read, self._known = self.headers, {}
            for key, value in self.headers:
                self._known[key] = value if key not in self._known else None
        return self._known

    async def body(self, cap: int) -> bytes:
        """The whole body. Raises TooLarge past `cap` bytes, ClientGone when it stops short."""
        self.refuse_announced(cap)
        pieces = [self._again()] if self._peeked else []
        while not self._consumed:
            pieces.append(await self._piece(cap))
        return b"".join(pieces)

    async def peek(self, cap: int) -> bytes:
        """The whole body, which the next reader gets once more. Raises like `body`."""
        self._peeked = await self.body(cap)
        return self._peeked

    def put_back(self, body: bytes) -> None:
        """After `peek`: what the next reader gets in place of the body that came."""
        self._peeked = body

    async def chunks(self, cap: int | None) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises like `body`."""
        self.refuse_announced(cap)
        if self._peeked:
            yield self._again()
        while not self._consumed:
            if chunk := await self._piece(cap):
                yield chunk

    def _again(self) -> bytes:
        peeked, self._peeked = self._peeked, b""
        return peeked

    async def _piece(self, cap: int | None) -> bytes:
        message = await self._next()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        self._seen += len(chunk)
        if not message.get("more_body", False):
            self._consume()
        if cap is not None and self._seen > cap:
            raise TooLarge(f"the body is larger than the {cap} bytes allowed here")
        return chunk

    async def _next(self) -> Message:
        loop, patience = asyncio.get_running_loop(), self.patience
        if self._waiting is None:
            self._waiting = Idle(min(patience.idle, patience.whole))
            self._end = loop.time() + patience.whole
        try:
            with self._waiting:
                message: Message | None = await self._receive()
        except TimeoutError:
            message = None
        late = loop.time() >= self._end
        if message is not None and not late:
            return message
        # Nobody waits for the rest of it either.
        self._consumed = True
        if late:
            raise BadRequest(f"the body was not there within {patience.whole:g} s")
        raise BadRequest(f"nothing more of the body came within {patience.idle:g} s")

    async def disconnected(self) -> None:
        """Returns when the client has left. Only for after the body has been read."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return

    async def start(self, status: int, headers: Headers) -> None:
        self._begin(status)
        await self._head(headers)

    async def write(self, chunk: bytes) -> None:
        """Sends a piece. Raises ClientGone where the client takes nothing for too long."""
        await self._put({"type": "http.response.body", "body": chunk, "more_body": True})

    async def finish(self, chunk: bytes = b"") -> None:
        if self.before_last is not None:
            await self.before_last()
        await self._last(chunk)

    async def reply(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """A whole answer. Its head and its body leave together."""
        self._begin(status)
        if self.before_last is not None:
            await self.before_last()
        await self._head([*headers, (b"content-length", str(len(body)).encode())])
        await self._last(body)

    def _begin(self, status: int) -> None:
        self.status = status
        if self.on_start is not None:
            self.on_start()

    async def _head(self, headers: Headers) -> None:
        self.started = True
        head = [*headers, *self.stamps]
        await self._put({"type": "http.response.start", "status": self.status, "headers": head})

    async def _last(self, chunk: bytes) -> None:
        self.finished = True
        await self._put({"type": "http.response.body", "body": chunk, "more_body": False})
        if self._unread is not None:
            self._unread.close()

    async def _put(self, message: Message) -> None:
        try:
            if self._unread is None:
                await self._send(message)
                return
            with self._unread:
                await self._send(message)
        except TimeoutError:
            # Ours, or the one with which the server's connection has ended.
            raise ClientGone from None

    def let_go(self) -> None:
        """For when it is over: nobody is told of anything any more. Whoever wanted to be mostly holds this
        exchange as well, and all that a request has made would wait for the collector.
        """
        self.before_last = self.on_start = self.body_read = None

    def refuse_announced(self, cap: int | None) -> None:
        """Raises TooLarge where the client itself says that its body is."""
        announced = self.header("content-length") if cap is not None else None
        if announced is None or cap is None:
            return
        if announced.isdigit() and int(announced) > cap:
            raise TooLarge(f"the body is {announced} bytes and {cap} are allowed here")

    def _consume(self) -> None:
        self._consumed = True
        if self._waiting is not None:
            self._waiting.close()
        if self.body_read is not None:
            self.body_read()


def forwardable(headers: Headers, drop: frozenset[bytes] = frozenset()) -> list[tuple[bytes, bytes]]:
    """The headers that may go on to the next connection: no hop-by-hop ones, none that `Connection` names,
    none in `drop`.
    """
    named = {
        name.strip().lower()
        for key, value in headers
        if key.lower() == b"connection"
        for name in value.split(b",")
    }
    return [
        (key, value)
        for key, value in headers
        if (low := key.lower()) not in HOP_BY_HOP and low not in named and low not in drop
    ]
