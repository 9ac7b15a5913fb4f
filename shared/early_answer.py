"""Who is answered in the middle of what it sends can read the answer: what arrives at a closed connection
makes the client's machine throw away what it was told (RFC 9112 section 9.6).

hypercorn's connections of ours see to it where they end (connection.py, http2.py), and HTTP/3 has a word of
its own for it. `granian` closes as soon as an answer is complete: there its end waits until the request's is
read.
"""

import asyncio
import contextlib
from typing import Any

from shared.asgi import BODILESS, Message, Receive, Scope, Send

# So long may who has been answered go on sending.
LINGER_SECONDS = 5.0
_LENGTH = b"content-length"
_FRAMING = (_LENGTH, b"transfer-encoding")


def lingering(app: Any) -> Any:
    """`app` for a server that closes the connection when an answer is complete."""

    async def lingered(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _expects_body(scope):
            await app(scope, receive, send)
            return
        answer = _Answer(receive, send)
        await app(scope, answer.receive, answer.send)
        await answer.end()

    return lingered


class _Answer:
    """All of an early one leaves at once, but for the word that this was all."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._heard = False
        self._held = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._heard = self._heard or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if not self._heard:
            message = self._open(message)
        await self._send(message)

    def _open(self, message: Message) -> Message:
        if message["type"] == "http.response.start":
            # By its length an answer would be complete with its last byte.
            headers = [(name, value) for name, value in message["headers"] if name.lower() != _LENGTH]
            return {**message, "headers": headers}
        self._held = not message.get("more_body", False)
        return {**message, "more_body": True}

    async def end(self) -> None:
        """After the app: the rest of the request is read away."""
        if not self._held:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while not self._heard:
                    await self.receive()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _expects_body(scope: Scope) -> bool:
    return scope["method"] not in BODILESS or any(name in _FRAMING for name, _ in scope["headers"])
