"""HTTP/3 whose header fields are bounded before they are put together: aioquic holds a field section of any
size, and makes megabytes of fields out of a few bytes that name them.
"""

import pylsqpack
from aioquic.h3.connection import ErrorCode, H3Connection, ProtocolError, Setting
from aioquic.h3.events import H3Event, Headers
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import QuicEvent, StreamDataReceived


class TooMany(ProtocolError):
    error_code = ErrorCode.H3_EXCESSIVE_LOAD


class BoundedH3(H3Connection):
    """A field section may have `most` bytes, on the wire and read. There is no table that a client could fill
    to repeat what stands in it (RFC 9204 section 3.2.3): a byte on the wire becomes less than a hundred.
    """

    def __init__(self, quic: QuicConnection, most: int) -> None:
        self._most = most
        super().__init__(quic)
        self._decoder = pylsqpack.Decoder(0, 0)

    def handle_event(self, event: QuicEvent) -> list[H3Event]:
        found = super().handle_event(event)
        stream = self._stream.get(event.stream_id) if isinstance(event, StreamDataReceived) else None
        # What is held is a frame that has not come to its end.
        if stream is not None and len(stream.buffer) > self._most:
            stream.buffer = b""
            self._is_done = True
            self._quic.close(error_code=ErrorCode.H3_EXCESSIVE_LOAD)
        return found

    def _get_local_settings(self) -> dict[int, int]:
        none = {Setting.QPACK_MAX_TABLE_CAPACITY: 0, Setting.QPACK_BLOCKED_STREAMS: 0}
        return super()._get_local_settings() | none

    def _decode_headers(self, stream_id: int, frame_data: bytes | None) -> Headers:
        if frame_data is not None and len(frame_data) > self._most:
            raise TooMany
        headers = super()._decode_headers(stream_id, frame_data)
        if sum(len(name) + len(value) for name, value in headers) > self._most:
            raise TooMany
        return headers
