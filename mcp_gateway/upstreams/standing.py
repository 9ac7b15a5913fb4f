"""The stream on which a server of the session era speaks without being asked: one for a session, heard by all
who need it.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import msgspec
from msgspec import Raw, Struct

from mcp_gateway.upstreams.ears import Ears
from mcp_gateway.upstreams.upstream import Aside, Hearing, aside
from shared.errors import UpstreamBroken, UpstreamFault
from shared.jsonrpc import Envelope

PROGRESS = "notifications/progress"
# A server that takes long to begin its stream is not waited for: most have nothing to say on it.
_READY_SECONDS = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
# What says that the stream stands, before the server has said anything.
STANDS = Envelope()


class _Progress(Struct):
    progressToken: Raw = Raw()


class Refused(Exception):
    """The server has no such stream, or (`gone`) not even the session any more."""

    def __init__(self, *, gone: bool) -> None:
        super().__init__()
        self.gone = gone


class Standing:
    """`open` begins the stream and yields an empty message once it stands; `changed` is told of lists that
    have changed, `respond` takes answers to the server.
    """

    def __init__(
        self,
        open: Callable[[], AsyncGenerator[Envelope, None]],
        changed: Callable[[str], None],
        respond: Callable[[bytes], None],
    ) -> None:
        self.ears = Ears()
        self._open = open
        self._changed = changed
        self._respond = respond
        self._calls: dict[int, asyncio.Queue[Aside]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._closed = False

    @contextlib.asynccontextmanager
    async def calling(
        self, request_id: int, asides: asyncio.Queue[Aside] | None, *, heard: bool
    ) -> AsyncIterator[None]:
        """For as long as the block lasts, what the server asks here may be about this call. With `heard`
        somebody wants to know what the call changes.
        """
        if heard:
            await self._begun()
        if asides is None:
            yield
            return
        self._calls[request_id] = asides
        try:
            await self._begun()
            yield
        finally:
            del self._calls[request_id]

    @contextlib.asynccontextmanager
    async def hearing(self, hearing: Hearing) -> AsyncIterator[AsyncGenerator[Envelope, None]]:
        """What the server says of its own accord, for one who listens."""
        async with self.ears.hearing(hearing) as heard:
            await self._begun()
            yield heard

    async def close(self) -> None:
        self._end()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _begun(self) -> None:
        if self._closed:
            raise UpstreamBroken("the session with the MCP server has ended")
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READY_SECONDS):
                await self._ready.wait()

    async def _read(self) -> None:
        """Until the server says that there is no such stream, however often it breaks."""
        pause = _FIRST_PAUSE
        while True:
            try:
                async with aclosing(self._open()) as messages:
                    async for message in messages:
                        self._ready.set()
                        pause = _FIRST_PAUSE
                        self._hear(message)
            except Refused as refused:
                self._ready.set()
                if refused.gone:
                    self._end()
                return
            except UpstreamFault:
                self._ready.set()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _end(self) -> None:
        self._closed = True
        self.ears.end()

    def _hear(self, message: Envelope) -> None:
        if message.has_id and message.method:
            aside(message, self._respond, self._asked())
        elif message.method.endswith("/list_changed"):
            self._changed(message.method)
        elif message.method in (PROGRESS, "notifications/cancelled"):
            asides = self._calls.get(about(message)) if message.method == PROGRESS else self._asked()
            aside(message, self._respond, asides)
        elif message.method:
            self.ears.tell(message)

    def _asked(self) -> asyncio.Queue[Aside] | None:
        """The latest call under way is asked, or else the latest who listens: all are the same peer's."""
        if self._calls:
            return self._calls[max(self._calls)]
        return self.ears.asked()


def about(message: Envelope) -> int:
    """The number of the call whose progress this is; -1 for none."""
    with contextlib.suppress(msgspec.DecodeError):
        digits = bytes(msgspec.json.decode(message.params, type=_Progress).progressToken)
        return int(digits) if digits.isdigit() and len(digits) < 16 else -1
    return -1
