"""Parts of hypercorn that serve here in the place of its own, which have no setting for what they change."""

import h2.events
import hypercorn.protocol
from hypercorn.protocol import ws_stream
from hypercorn.protocol.h2 import H2Protocol


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
    hypercorn.protocol.H2Protocol = Http2  # type: ignore[attr-defined]
    ws_stream.Handshake = Handshake  # type: ignore[misc]
