"""An app that tells what it was asked and by whom, and a process that serves it over TLS and HTTP/3.

hypercorn never closes its socket for QUIC, so that one needs a process of its own to leave nothing behind.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from shared import server
from shared.asgi import Exchange, Receive, Scope, Send
from shared.tls import Listening, Tls
from shared.tls_peer import SCOPE_KEY
from tests.support.tls import HOST


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    exchange = Exchange(scope, receive, send)
    peer = scope.get(SCOPE_KEY)
    told = {
        "version": scope["http_version"],
        "scheme": scope["scheme"],
        "read": len(await exchange.body(1 << 24)),
        "peer": [peer.subject, *peer.uris] if peer is not None else None,
        "fingerprint": peer.fingerprint if peer is not None else None,
    }
    await exchange.reply(200, [], msgspec.json.encode(told))


@contextlib.asynccontextmanager
async def served_apart(tls: Tls) -> AsyncIterator[int]:
    """The port at which a process of its own serves `app`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.tls_app", msgspec.json.encode(tls)),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    try:
        yield int(await asyncio.wait_for(process.stdout.readline(), 15))
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def _main(tls: Tls) -> int:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with contextlib.closing(server.bind(f"{HOST}:0")) as listener:
        port = listener.getsockname()[1]
        serving = asyncio.create_task(
            server.serve(app, listener, stop, grace_seconds=0.2, tls=Listening(tls))
        )
        await asyncio.sleep(0)
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await serving
    return 0


if __name__ == "__main__":
    sys.exit(server.run(_main(msgspec.json.decode(sys.argv[1], type=Tls))))
