"""What a client has sent of one request, until the app takes it: a bounded queue whose end is never kept
waiting.

In the one that hypercorn has, the word that the client has left, or that the answer is out, waits
for room like everything else. Where the app takes nothing any more there never is any: connection, tasks and
request would stay for good, for anybody who sends a body that is refused.
"""

import asyncio
from collections import deque
from typing import Any

from hypercorn.typing import ASGIReceiveEvent

_ENDS = frozenset(("http.disconnect", "websocket.disconnect"))
# Of one request. More than an HTTP/2 stream may send unread, so that its connection is never kept waiting.
_BYTES = 256 * 1024
_Waiting = deque[asyncio.Future[None]]


class Inbox:
    """Holds up to `size` messages, and no further one once they have 256 KiB. Pieces of a body that nobody
    has taken yet become one: each of a byte would take hundreds. What comes after the end is dropped, also
    what waits for room by then.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._messages: deque[Any] = deque()
        self._bytes = 0
        self._takers: _Waiting = deque()
        self._senders: _Waiting = deque()
        self._ended = False

    async def get(self) -> ASGIReceiveEvent:
        while not self._messages:
            await _turn(self._takers)
        message = self._messages.popleft()
        self._bytes -= _length(message)
        _call(self._senders)
        if type(message.get("body")) is bytearray:
            message["body"] = bytes(message["body"])
        found: ASGIReceiveEvent = message
        return found

    async def put(self, message: ASGIReceiveEvent) -> None:
        if message["type"] in _ENDS:
            self._end()
        else:
            while not self._ended and (self._bytes >= _BYTES or len(self._messages) >= self._size):
                await _turn(self._senders)
            if self._ended or self._joined(message):
                return
            self._bytes += _length(message)
        self._messages.append(message)
        _call(self._takers)

    def _joined(self, message: ASGIReceiveEvent) -> bool:
        """Is nothing left of it to be put?"""
        if message["type"] != "http.request":
            return False
        if not self._messages:
            return message["more_body"] and not message["body"]
        last, body = self._messages[-1], message["body"]
        last["more_body"] = message["more_body"]
        if body:
            # To bytes each piece would copy all that is there.
            last["body"] = last["body"] if type(last["body"]) is bytearray else bytearray(last["body"])
            last["body"] += body
            self._bytes += len(body)
        return True

    def _end(self) -> None:
        self._ended = True
        while self._senders:
            _call(self._senders)


def _length(message: Any) -> int:
    return len(message.get("body") or message.get("bytes") or message.get("text") or b"")


async def _turn(waiting: _Waiting) -> None:
    turn = asyncio.get_running_loop().create_future()
    waiting.append(turn)
    try:
        await turn
    except asyncio.CancelledError:
        if turn.done() and not turn.cancelled():
            # It was called and leaves: the next one's turn.
            _call(waiting)
        raise


def _call(waiting: _Waiting) -> None:
    """The first that still waits."""
    while waiting:
        turn = waiting.popleft()
        if not turn.done():
            turn.set_result(None)
            return
