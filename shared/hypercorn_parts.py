"""Parts of hypercorn that serve here in the place of its own, which have no setting for what they change."""

import h2.events
import h11
import hypercorn.protocol
from h11._writers import ChunkedWriter
from hypercorn.events import RawData
from hypercorn.protocol import ws_stream
from hypercorn.protocol.events import Body, Event
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol


class Http1(H11Protocol):
    """HTTP/1.1 that frames the pieces of a stream by itself: between the first and the last of them h11's
    states do not change, and walking through them for each costs a third of sending it.
    """

    async def stream_send(self, event: Event) -> None:
        if type(event) is Body and self._between():
            await self.send(RawData(data=b"%x\r\n%b\r\n" % (len(event.data), event.data)))
        else:
            await super().stream_send(event)

    def _between(self) -> bool:
        connection = self.connection
        return (
            isinstance(connection, h11.Connection)
            and connection.our_state is h11.SEND_BODY
            and isinstance(connection._writer, ChunkedWriter)
        )


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
