"""Serving an ASGI app on a socket of ours, under hypercorn or granian, until told to stop. The only door to
both and to uvloop.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import uvloop
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

ServerName = Literal["hypercorn", "granian"]
_BACKLOG = 2048
_MAX_HEADER_BYTES = 64 * 1024  # a chain of signed tokens is larger than the 16 KiB default allows for


def run(main: Coroutine[Any, Any, int]) -> int:
    """Runs a program's main coroutine on the fast loop and returns its exit code."""
    return uvloop.run(main)


def bind(address: str) -> socket.socket:
    """A listening socket on `host:port` (port 0: any free one). Raises OSError with the address in its
    text.
    """
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), int(port)))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {address}: {error.strerror}") from error
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(
    app: Any,
    listener: socket.socket,
    stop: asyncio.Event,
    *,
    server: ServerName = "hypercorn",
    grace_seconds: float = 10.0,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serves until `stop` is set; open requests then have `grace_seconds` to end before they are
    cancelled.
    """
    if server == "granian":
        await _granian(app, listener, stop, ready)
    else:
        await _hypercorn(app, listener, stop, grace_seconds, ready)


async def _hypercorn(
    app: Any, listener: socket.socket, stop: asyncio.Event, grace_seconds: float, ready: Callable[[], None]
) -> None:
    config = Config()
    # hypercorn closes the descriptor that it is given: it gets one of its own.
    config.bind = [f"fd://{os.dup(listener.fileno())}"]
    config.backlog = _BACKLOG
    config.graceful_timeout = grace_seconds
    config.shutdown_timeout = grace_seconds + 5
    config.keep_alive_timeout = 75
    config.keep_alive_max_requests = 1_000_000
    config.h11_max_incomplete_size = _MAX_HEADER_BYTES
    config.h2_max_header_list_size = _MAX_HEADER_BYTES
    config.max_app_queue_size = 64
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = logging.getLogger("gatestack.server")
    ready()
    await hypercorn_serve(app, config, shutdown_trigger=stop.wait)


async def _granian(app: Any, listener: socket.socket, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    # Loaded here because a process that serves with hypercorn should not carry it.
    from granian.constants import Interfaces
    from granian.http import HTTP1Settings
    from granian.server.embed import Server

    host, port = listener.getsockname()[:2]
    listener.close()
    server = Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        backlog=_BACKLOG,
        websockets=False,
        log_enabled=False,
        http1_settings=HTTP1Settings(max_buffer_size=4 * _MAX_HEADER_BYTES),
    )
    serving = asyncio.create_task(server.serve())
    ready()
    await stop.wait()
    server.stop()  # type: ignore[no-untyped-call]
    with contextlib.suppress(asyncio.CancelledError):
        await serving
