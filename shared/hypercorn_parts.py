"""Parts of ours that serve in the place of hypercorn's own, which have no setting for what they change."""

import hypercorn.asyncio.run
import hypercorn.asyncio.tcp_server
import hypercorn.protocol
import hypercorn.protocol.h2
import hypercorn.protocol.h11
from hypercorn.protocol import ws_stream

from shared.connection import Connection, IdleWatch, Tasks
from shared.http1 import Http1
from shared.http2 import Http2
from shared.websocket_stream import Handshake, WebSocketStream


def install() -> None:
    """For all that hypercorn serves in this process from now on."""
    hypercorn.protocol.H11Protocol = Http1  # type: ignore[attr-defined]
    hypercorn.protocol.H2Protocol = Http2  # type: ignore[attr-defined, assignment]
    hypercorn.protocol.h11.WSStream = WebSocketStream  # type: ignore[attr-defined]
    hypercorn.protocol.h2.WSStream = WebSocketStream  # type: ignore[attr-defined]
    ws_stream.Handshake = Handshake  # type: ignore[misc]
    hypercorn.asyncio.run.TCPServer = Connection  # type: ignore[attr-defined]
    hypercorn.asyncio.tcp_server.AsyncioSingleTask = IdleWatch  # type: ignore[attr-defined]
    hypercorn.asyncio.tcp_server.TaskGroup = Tasks  # type: ignore[attr-defined]
