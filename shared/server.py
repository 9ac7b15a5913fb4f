"""Serving an ASGI app on a socket of ours, under hypercorn or granian, until told to stop. The only door to
both and to uvloop.
"""

import asyncio
import contextlib
import logging
import os
import resource
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from ssl import SSLContext
from typing import TYPE_CHECKING, Annotated, Any, Literal

import uvloop
from hypercorn.asyncio import serve as hypercorn_serve
from msgspec import Meta, Struct

from shared.connection import AT_ONCE_SECONDS, Serving
from shared.crowd import Crowd
from shared.early_answer import lingering
from shared.hypercorn_parts import install
from shared.tls import Listening
from shared.tls_peer import with_peer

if TYPE_CHECKING:
    from shared.http3 import Http3Server

ServerName = Literal["hypercorn", "granian"]
_BACKLOG = 2048
_HANDSHAKE_SECONDS = 10.0
_MAX_MESSAGE_BYTES = 2**20  # of a WebSocket; hypercorn holds up to _QUEUE of them
_QUEUE = 64
# A client that takes nothing of what it is sent for so long has its connection cut (Linux).
_UNREAD_SECONDS = 30.0
# What is ended when the grace period is over may still say so.
_GOODBYE_SECONDS = 2.0


class Clients(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client may take. A connection whose next request's headers are not there within
    `header_seconds` is closed: idle, or fed byte by byte. They may have `header_bytes`: a chain of signed
    tokens is large. A body must come within `body_seconds`, and no pause in it be longer than
    `body_idle_seconds`. There are no more than `connections` at once, nor than half of the files that the
    process may open.
    """

    header_seconds: Annotated[float, Meta(gt=0)] = 75.0
    header_bytes: Annotated[int, Meta(ge=1024, le=1_048_576)] = 65_536
    body_seconds: Annotated[float, Meta(gt=0)] = 600.0
    body_idle_seconds: Annotated[float, Meta(gt=0)] = 30.0
    connections: Annotated[int, Meta(ge=1)] = 10_000


class CannotListen(OSError):
    """The address that a service is to listen on cannot be had; the text names it."""


def run(main: Coroutine[Any, Any, int]) -> int:
    """Runs a program's main coroutine on the fast loop and returns its exit code."""
    return uvloop.run(main)


def bind(address: str) -> socket.socket:
    """A listening socket on `host:port` (port 0: any free one). Raises CannotListen."""
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Connections inherit it. No server here can abort one that has something left to send.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(_UNREAD_SECONDS * 1000))
    try:
        listener.bind((host.strip("[]"), int(port)))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        listener.close()
        why = (error.strerror if isinstance(error, OSError) else "") or error
        raise CannotListen(f"cannot listen on {address}: {why}") from error
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket, *, secure: bool = False) -> str:
    host, port = listener.getsockname()[:2]
    scheme = "https" if secure else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


async def serve(
    app: Any,
    listener: socket.socket,
    stop: asyncio.Event,
    *,
    server: ServerName = "hypercorn",
    grace_seconds: float = 10.0,
    ready: Callable[[], None] = lambda: None,
    tls: Listening | None = None,
    end_open: Callable[[], None] | None = None,
    clients: Clients = Clients(),  # noqa: B008  it is frozen
) -> None:
    """Serves until `stop` is set; open requests then have `grace_seconds` to end before `end_open` is called
    and, two seconds later or without it at once, they are cancelled. Raises CannotListen when the port is
    taken for HTTP/3.
    """
    ending = asyncio.create_task(_end_late(stop, grace_seconds, end_open)) if end_open else None
    try:
        if server == "granian":
            await _granian(app, listener, stop, ready, tls, clients)
        else:
            grace_seconds += _GOODBYE_SECONDS if end_open else 0
            install()
            config = _configured(listener, grace_seconds, tls, clients)
            quic = _quic(app, listener, tls, clients)
            async with asyncio.TaskGroup() as group:
                if quic is not None:
                    group.create_task(quic.serve(stop, grace_seconds))
                ready()
                await hypercorn_serve(_told(app, tls), config, shutdown_trigger=stop.wait)
    finally:
        if ending is not None:
            ending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ending


async def _end_late(stop: asyncio.Event, grace_seconds: float, end_open: Callable[[], None]) -> None:
    await stop.wait()
    await asyncio.sleep(grace_seconds)
    end_open()


class _Config(Serving):
    """hypercorn's, with a TLS context that can change while it serves."""

    tls: Listening | None = None

    @property
    def ssl_enabled(self) -> bool:
        return self.tls is not None

    def create_ssl_context(self) -> SSLContext | None:
        return self.tls.context if self.tls is not None else None


def _configured(
    listener: socket.socket, grace_seconds: float, tls: Listening | None, clients: Clients
) -> Serving:
    config = _Config()
    # hypercorn closes the descriptor that it is given: it gets one of its own.
    config.bind = [f"fd://{os.dup(listener.fileno())}"]
    if tls is not None:
        config.tls = tls
        config.ssl_handshake_timeout = _HANDSHAKE_SECONDS
        if tls.tls.http3:
            config.alt_svc_headers = [f'h3=":{listener.getsockname()[1]}"; ma=3600']
    config.crowd = Crowd(min(clients.connections, _files(2 * clients.connections) // 2))
    config.backlog = _BACKLOG
    config.graceful_timeout = grace_seconds
    config.shutdown_timeout = grace_seconds + 5
    config.keep_alive_timeout = max(0.0, clients.header_seconds - AT_ONCE_SECONDS)
    config.keep_alive_max_requests = 1_000_000
    config.h11_max_incomplete_size = clients.header_bytes
    config.h2_max_header_list_size = clients.header_bytes
    config.max_app_queue_size = _QUEUE
    config.websocket_max_message_size = _MAX_MESSAGE_BYTES
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = logging.getLogger("gatestack.server")
    return config


def _files(wanted: int) -> int:
    """How many this process may open, after it has asked for as many as are wanted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        return allowed
    return wanted if soft == resource.RLIM_INFINITY else soft


def _told(app: Any, tls: Listening | None) -> Any:
    """`app`, told of clients' certificates where they are asked for."""
    return with_peer(app) if tls is not None and tls.tls.client_ca else app


def _quic(app: Any, listener: socket.socket, tls: Listening | None, clients: Clients) -> "Http3Server | None":
    """HTTP/3 at a listener's address, where it is wanted. Raises CannotListen."""
    if tls is None or not tls.tls.http3:
        return None
    # Loaded here because few processes serve it, and it weighs eleven megabytes.
    from shared.http3 import Http3Server

    found = socket.socket(listener.family, socket.SOCK_DGRAM)
    try:
        found.bind(listener.getsockname())
    except OSError as error:
        found.close()
        host, port = listener.getsockname()[:2]
        raise CannotListen(f"cannot listen on UDP {host}:{port}: {error.strerror}") from error
    found.setblocking(False)
    return Http3Server(
        app, found, tls, header_bytes=clients.header_bytes, idle_seconds=clients.header_seconds
    )


async def _granian(
    app: Any,
    listener: socket.socket,
    stop: asyncio.Event,
    ready: Callable[[], None],
    tls: Listening | None,
    clients: Clients,
) -> None:
    # Loaded here because a process that serves with hypercorn should not carry it.
    from granian.constants import Interfaces
    from granian.http import HTTP1Settings
    from granian.server.embed import Server

    host, port = listener.getsockname()[:2]
    listener.close()
    server = Server(
        lingering(app),
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        backlog=_BACKLOG,
        websockets=False,
        log_enabled=False,
        http1_settings=HTTP1Settings(
            max_buffer_size=4 * clients.header_bytes,
            header_read_timeout=int(clients.header_seconds * 1000),
        ),
        **_granian_tls(tls),
    )
    serving = asyncio.create_task(server.serve())
    ready()
    await stop.wait()
    server.stop()  # type: ignore[no-untyped-call]
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _granian_tls(listening: Listening | None) -> dict[str, Any]:
    from granian.constants import SSLProtocols  # with granian itself

    if listening is None:
        return {}
    tls = listening.tls
    return {
        "ssl_cert": Path(tls.certificate),
        "ssl_key": Path(tls.key),
        "ssl_protocol_min": SSLProtocols.tls13 if tls.min_version == "1.3" else SSLProtocols.tls12,
        "ssl_ca": Path(tls.client_ca) if tls.client_ca else None,
        "ssl_client_verify": tls.require_client,
    }
