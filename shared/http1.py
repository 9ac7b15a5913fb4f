"""HTTP/1.1 as hypercorn speaks it, with less work for what is sent most, and no waiting for who has left."""

import functools
import re

import h11
from h11._headers import Headers
from h11._writers import ChunkedWriter
from hypercorn import events
from hypercorn.events import Closed, RawData, Updated
from hypercorn.protocol.events import Body, Data, EndBody, Event, Response
from hypercorn.protocol.h11 import STREAM_ID, H2ProtocolAssumedError, H11Protocol, H11WSConnection

Fields = list[tuple[bytes, bytes]]

# RFC 9110 sections 5.1 and 5.5, as h11 reads them.
_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_UNSENDABLE = re.compile(rb"[\x00\n\r\x0b\x0c]")
_FRAMING = frozenset((b"content-length", b"transfer-encoding"))
_LONGEST_LENGTH = 19
_PREFACE = (b"PRI", b"*", b"2.0")
_READ = frozenset((b"1.0", b"1.1"))


class Http1(H11Protocol):
    """HTTP/1.1 with less work for what is sent most. It is upgraded to WebSockets and to nothing else: HTTP/2
    is spoken from the beginning, or not at all (RFC 9113 section 3.1), for what follows an upgrade passes
    whatever stands before us unread.

    The pieces of a stream are framed here: between the first and the last of them h11's states do not change,
    and walking through them for each costs a third of sending it. An answer's fields are looked at once.
    """

    # The client is gone.
    _left = False

    async def stream_send(self, event: Event) -> None:
        if type(event) is Body and self._between():
            await self.send(RawData(data=b"%x\r\n%b\r\n" % (len(event.data), event.data)))
        elif type(event) is Response and event.status_code >= 200:
            fields = [*event.headers, *self.config.response_headers("h11")]
            if self.unfinished or self.keep_alive_requests >= self.config.keep_alive_max_requests:
                fields.append((b"connection", b"close"))
            await self._send_h11_event(h11.Response(headers=_headers(fields), status_code=event.status_code))
        else:
            await super().stream_send(event)

    async def handle(self, event: events.Event) -> None:
        if type(event) is Closed:
            self._left = True
            # Whatever has been asked for besides is not looked at any more.
            await self.can_read.set()
        await super().handle(event)

    async def _maybe_recycle(self) -> None:
        if not self._left:
            await super()._maybe_recycle()

    async def _handle_events(self) -> None:
        more = True
        while more:
            if self.connection.they_are_waiting_for_100_continue:
                await self._send_h11_event(h11.InformationalResponse(status_code=100, headers=[]))
            try:
                event = self.connection.next_event()
            except h11.RemoteProtocolError as error:
                await self._refuse(error.error_status_hint)
                return
            more = await self._handled(event)

    async def _handled(self, event: object) -> bool:
        """Is there more to look for?"""
        if self._left:
            return False
        if isinstance(event, h11.Request):
            return await self._begun(event)
        if self.stream is None or event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
            return False
        if event is h11.PAUSED:
            await self.can_read.clear()
            await self.can_read.wait()
        elif isinstance(event, h11.Data):
            await self.stream.handle(Body(stream_id=STREAM_ID, data=event.data))
        elif isinstance(event, h11.EndOfMessage):
            await self.stream.handle(EndBody(stream_id=STREAM_ID))
        elif isinstance(event, Data):
            await self.stream.handle(event)
        return True

    async def _begun(self, request: h11.Request) -> bool:
        if (request.method, request.target, request.http_version) == _PREFACE:
            raise H2ProtocolAssumedError(b"PRI * HTTP/2.0\r\n\r\n" + self.connection.trailing_data[0])
        await self.send(Updated(idle=False))
        if request.http_version not in _READ or request.method == b"CONNECT":
            await self._refuse(501 if request.method == b"CONNECT" else 505)
            return False
        await self._create_stream(request)
        return True

    async def _refuse(self, status: int) -> None:
        """Ends the connection, and whatever is open on it."""
        if self.connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await self._send_error_response(status)
        await self._close_stream()
        await self.send(Closed())

    @property
    def answered_early(self) -> bool:
        """The whole answer is sent, and the client is not done."""
        connection = self.connection
        if isinstance(connection, H11WSConnection):
            # It has yet to hear that this WebSocket is closed.
            return True
        done = connection.our_state in (h11.DONE, h11.MUST_CLOSE)
        return done and connection.their_state in (h11.SEND_BODY, h11.ERROR)

    @property
    def unfinished(self) -> bool:
        """The client is still sending its request."""
        return self.connection.their_state is h11.SEND_BODY

    def _between(self) -> bool:
        connection = self.connection
        return (
            isinstance(connection, h11.Connection)
            and connection.our_state is h11.SEND_BODY
            and isinstance(connection._writer, ChunkedWriter)
        )


def _headers(fields: Fields) -> Headers | Fields:
    """What h11 would make of them, for a third of the time; as they are where it has something to object to,
    or to decide about how the body is framed.
    """
    known = [(name, _lowered(name), value) for name, value in fields]
    framing = [(name, value) for _, name, value in known if name in _FRAMING]
    plain = not framing or (len(framing) == 1 and _is_length(*framing[0]))
    named = b"" not in [name for _, name, _ in known]
    sendable = not _UNSENDABLE.search(b" ".join([value for _, _, value in known]))
    return Headers(known) if plain and named and sendable else fields


def _is_length(name: bytes, value: bytes) -> bool:
    return name == b"content-length" and value.isdigit() and len(value) <= _LONGEST_LENGTH


@functools.lru_cache(maxsize=1024)
def _lowered(name: bytes) -> bytes:
    """Empty for what is no name of a field."""
    return name.lower() if _NAME.fullmatch(name) else b""
