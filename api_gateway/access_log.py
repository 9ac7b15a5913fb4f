"""One line of JSON a request on standard output, for whoever wants that beside the ledger: also of requests
that are none of it (health, metrics).

Not for money or audit: that is the ledger. The query stays out, it may hold a credential.
"""

import sys
from typing import Any

import msgspec

from shared.asgi import Headers, Message, Receive, Scope, Send
from shared.client_address import App
from shared.clock import Clock

_LONGEST = 512
_CALL = b"x-gatestack-call"


class AccessLog:
    """Round `app`."""

    def __init__(self, app: App, *, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        told: dict[str, Any] = {"status": 0, "bytes": 0, "call": ""}
        began = self._clock.monotonic()

        async def noting(message: Message) -> None:
            _note(told, message)
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            told["ms"] = round((self._clock.monotonic() - began) * 1000, 1)
            line = {"access": self._clock.now_us(), **_asked(scope), **told}
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
            # A pipe would hold lines back until there are many.
            sys.stdout.flush()


def _asked(scope: Scope) -> dict[str, Any]:
    client = scope.get("client")
    return {
        "client": client[0] if client else "",
        "method": scope.get("method", "GET"),
        "host": _header(scope["headers"], b"host"),
        "path": scope["path"][:_LONGEST],
        "http": scope.get("http_version", ""),
        "scheme": scope.get("scheme", ""),
        "agent": _header(scope["headers"], b"user-agent"),
    }


def _note(told: dict[str, Any], message: Message) -> None:
    kind = message["type"]
    if kind.endswith("response.start"):
        told["status"] = message["status"]
        told["call"] = _header(message["headers"], _CALL)
    elif kind == "websocket.accept":
        told["status"] = 101
        told["call"] = _header(message["headers"], _CALL)
    elif kind.endswith("response.body"):
        told["bytes"] += len(message.get("body", b""))
    elif kind == "websocket.send":
        told["bytes"] += len(message.get("bytes") or (message.get("text") or "").encode())


def _header(headers: Headers, wanted: bytes) -> str:
    return next((value.decode("latin-1")[:_LONGEST] for name, value in headers if name == wanted), "")
