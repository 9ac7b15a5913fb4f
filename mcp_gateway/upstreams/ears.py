"""Who listens to what a server says of its own accord, over one connection."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any

import msgspec
from msgspec import Struct

from mcp_gateway.upstreams.upstream import Aside, Hearing
from shared.errors import UpstreamBroken
from shared.jsonrpc import Envelope

UPDATED = "notifications/resources/updated"
_MOST_WAITING = 1000

Notes = asyncio.Queue[Envelope | None]
# Puts a request to the server, by method and parameters.
Ask = Callable[[str, bytes], Coroutine[Any, Any, object]]


class _Updated(Struct):
    uri: str = ""


class Ears:
    def __init__(self) -> None:
        self._ears: dict[Notes, Hearing] = {}
        self._subscribed: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def hearing(self, hearing: Hearing) -> AsyncIterator[AsyncGenerator[Envelope, None]]:
        """What is told, for as long as the block lasts."""
        notes: Notes = asyncio.Queue(_MOST_WAITING)
        self._ears[notes] = hearing
        try:
            async with aclosing(_drained(notes)) as heard:
                yield heard
        finally:
            del self._ears[notes]

    @contextlib.asynccontextmanager
    async def subscribed(
        self, uris: tuple[str, ...], ask: Ask, later: Callable[[Coroutine[Any, Any, object]], None]
    ) -> AsyncIterator[None]:
        """Several may want to hear of one resource: the server is told by the first and by the last."""
        taken = list[str]()
        try:
            for uri in uris:
                taken.append(uri)
                self._subscribed[uri] += 1
                if self._subscribed[uri] == 1:
                    await ask("resources/subscribe", _subscription(uri))
            yield
        finally:
            for uri in taken:
                self._subscribed[uri] -= 1
                if self._subscribed[uri] == 0:
                    later(ask("resources/unsubscribe", _subscription(uri)))

    def tell(self, message: Envelope) -> None:
        uri = updated(message) if message.method == UPDATED else None
        for notes, hearing in self._ears.items():
            if (uri is None or uri in hearing.uris) and not notes.full():
                notes.put_nowait(message)

    def asked(self) -> asyncio.Queue[Aside] | None:
        """The latest who listens and can be asked."""
        return next((each.asides for each in reversed(self._ears.values()) if each.asides is not None), None)

    def end(self) -> None:
        for notes in self._ears:
            if notes.full():
                notes.get_nowait()
            notes.put_nowait(None)


def updated(message: Envelope) -> str:
    """The resource that has changed."""
    with contextlib.suppress(msgspec.DecodeError):
        return msgspec.json.decode(message.params, type=_Updated).uri
    return ""


def _subscription(uri: str) -> bytes:
    return msgspec.json.encode({"uri": uri})


async def _drained(notes: Notes) -> AsyncGenerator[Envelope, None]:
    while (message := await notes.get()) is not None:
        yield message
    raise UpstreamBroken("the connection to the MCP server has ended")
