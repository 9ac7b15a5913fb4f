"""One connection on which both sides speak whenever they like: who waits for which answer, who listens, and
how it ended.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import msgspec
from msgspec import Raw, Struct

from mcp_gateway.upstreams.ears import Ears
from mcp_gateway.upstreams.upstream import Aside, aside, is_answer
from shared import jsonrpc
from shared.errors import UpstreamFault
from shared.jsonrpc import Envelope

# More than a slow reader needs; a server that says more about one call has the rest of its reports dropped.
_MOST_WAITING = 1000
_SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"

Asides = asyncio.Queue[Aside] | None


class _About(Struct):
    progressToken: Raw = Raw()
    meta: dict[str, Raw] = msgspec.field(default_factory=dict, name="_meta")


class Line:
    """`write` sends one message, `later` sees to work that nobody waits for. Where a line is `shared` by
    several peers, a question is only ever put to the one call that is under way.
    """

    def __init__(
        self,
        name: str,
        write: Callable[[bytes], Coroutine[Any, Any, None]],
        later: Callable[[Coroutine[Any, Any, object]], None],
        changed: Callable[[str, str], None],
        *,
        shared: bool,
    ) -> None:
        self.ended: UpstreamFault | None = None
        self.ears = Ears()
        self._name = name
        self._write = write
        self._later = later
        self._changed = changed
        self._shared = shared
        self._waiting: dict[int, tuple[asyncio.Queue[Envelope | UpstreamFault], Asides]] = {}

    async def exchange(
        self, request_id: int, method: str, params: bytes, asides: Asides = None
    ) -> AsyncGenerator[Envelope, None]:
        """What the server says about a request, its answer last. Raises UpstreamFault."""
        if self.ended is not None:
            raise self.ended
        queue: asyncio.Queue[Envelope | UpstreamFault] = asyncio.Queue()
        self._waiting[request_id] = queue, asides
        try:
            await self._write(jsonrpc.request(str(request_id).encode(), method, params))
            while True:
                message = await queue.get()
                if isinstance(message, UpstreamFault):
                    raise message
                yield message
                if is_answer(message, request_id, self._name):
                    return
        finally:
            self._waiting.pop(request_id, None)

    def tell(self, message: bytes) -> None:
        if self.ended is None:
            self._later(self._write(message))

    def hear(self, message: Envelope) -> None:
        """Takes what the server has said to whomever it is for."""
        if message.method and message.has_id:
            aside(message, self.tell, self._asked())
        elif message.method.endswith("/list_changed"):
            self._changed(self._name, message.method)
        elif (waiting := self._waiting.get(_about(message))) is not None:
            if not message.method or waiting[0].qsize() < _MOST_WAITING:
                waiting[0].put_nowait(message)
        elif message.method == "notifications/cancelled":
            aside(message, self.tell, self._asked())
        elif message.method and (not self._shared or message.method != "notifications/message"):
            self.ears.tell(message)

    def end(self, reason: UpstreamFault) -> None:
        self.ended = reason
        for queue, _ in self._waiting.values():
            queue.put_nowait(reason)
        self.ears.end()

    def _asked(self) -> Asides:
        """Whom a question is for: it does not say. Nobody is asked what may be meant for somebody else."""
        if self._shared:
            return next(iter(self._waiting.values()))[1] if len(self._waiting) == 1 else None
        asked = [asides for _, asides in self._waiting.values() if asides is not None]
        return asked[-1] if asked else self.ears.asked()


def _about(message: Envelope) -> int:
    """The number of the call that a message belongs to; -1 for those that no call can claim, such as log
    messages.
    """
    token = message.id
    if message.method:
        token = Raw()
        with contextlib.suppress(msgspec.DecodeError):
            about = msgspec.json.decode(message.params, type=_About) if bytes(message.params) else _About()
            token = about.meta.get(_SUBSCRIPTION, about.progressToken)
    digits = bytes(token)
    return int(digits) if digits.isdigit() and len(digits) < 16 else -1
