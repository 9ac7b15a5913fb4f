"""Parts of hypercorn that serve here in the place of its own, which have no setting for what they change."""

import functools
import re

import h2.events
import h11
import hypercorn.protocol
from h11._headers import Headers
from h11._writers import ChunkedWriter
from hypercorn.events import RawData
from hypercorn.protocol import ws_stream
from hypercorn.protocol.events import Body, Event, Response
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol

Fields = list[tuple[bytes, bytes]]

# RFC 9110 sections 5.1 and 5.5, as h11 reads them.
_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_UNSENDABLE = re.compile(rb"[\x00\n\r\x0b\x0c]")
_FRAMING = frozenset((b"content-length", b"transfer-encoding"))
_LONGEST_LENGTH = 19


class Http1(H11Protocol):
    """HTTP/1.1 with less work for what is sent most.

    The pieces of a stream are framed here: between the first and the last of them h11's states do not change,
    and walking through them for each costs a third of sending it. An answer's fields are looked at once.
    """

    async def stream_send(self, event: Event) -> None:
        if type(event) is Body and self._between():
            await self.send(RawData(data=b"%x\r\n%b\r\n" % (len(event.data), event.data)))
        elif type(event) is Response and event.status_code >= 200:
            fields = [*event.headers, *self.config.response_headers("h11")]
            if self.keep_alive_requests >= self.config.keep_alive_max_requests:
                fields.append((b"connection", b"close"))
            await self._send_h11_event(h11.Response(headers=_headers(fields), status_code=event.status_code))
        else:
            await super().stream_send(event)

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
    framing = [value for _, name, value in known if name in _FRAMING]
    plain = not framing or (len(framing) == 1 and framing[0].isdigit() and len(framing[0]) <= _LONGEST_LENGTH)
    named = b"" not in [name for _, name, _ in known]
    sendable = not _UNSENDABLE.search(b" ".join([value for _, _, value in known]))
    return Headers(known) if plain and named and sendable else fields


@functools.lru_cache(maxsize=1024)
def _lowered(name: bytes) -> bytes:
    """Empty for what is no name of a field."""
    return name.lower() if _NAME.fullmatch(name) else b""


class Http2(H2Protocol):
    """HTTP/2 whose connection survives what is still sent to a stream that has been answered."""

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        for event in events:
            if isinstance(event, h2.events.DataReceived) and event.stream_id not in self.streams:
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            else:
                await super()._handle_events([event])
        await self._flush()


class Handshake(ws_stream.Handshake):
    """A WebSocket's handshake that takes up no extension: a compressed frame of a few bytes would become one
    of megabytes before anybody has seen its size.
    """

    def __init__(self, headers: list[tuple[bytes, bytes]], http_version: str) -> None:
        super().__init__(headers, http_version)
        self.extensions = None


def install() -> None:
    """For all that hypercorn serves in this process from now on."""
    hypercorn.protocol.H11Protocol = Http1  # type: ignore[attr-defined]
    hypercorn.protocol.H2Protocol = Http2  # type: ignore[attr-defined]
    ws_stream.Handshake = Handshake  # type: ignore[misc]
