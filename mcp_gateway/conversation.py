"""One call at its server, from the question to the answer, with all that is said in between."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Protocol

from msgspec import Struct

from mcp_gateway.config import ServerRule
from mcp_gateway.upstreams.upstream import Aside, Call, Upstream
from shared.clock import Clock
from shared.errors import UpstreamBroken, UpstreamTimeout
from shared.jsonrpc import Envelope

Said = Envelope | Aside


class Asked(Struct, frozen=True):
    """The server waits for its client: what it asks, and where the call is that goes on with the answers."""

    questions: dict[str, Envelope]
    address: str


class Talk(Protocol):
    """What a call says next; an answer, an envelope without a method, is its last word. Raises
    UpstreamFault.
    """

    async def next(self, *, waiting: bool = False) -> Said | Asked: ...

    async def close(self) -> None: ...


class Conversation:
    """`next` waits as long as `rule` lets a server be silent, or as a whole call may take. It may be asked
    from one task after another: a conversation can outlive the request that began it.
    """

    def __init__(self, upstream: Upstream, call: Call, rule: ServerRule, clock: Clock) -> None:
        self.server = upstream.name
        self._messages: AsyncGenerator[Envelope, None] = upstream.call(call)
        self._asides = call.asides
        self._patience = rule.timeout_seconds
        self._deadline = clock.monotonic() + rule.deadline_seconds
        self._clock = clock
        self._coming: asyncio.Task[Envelope] | None = None
        self._aside: asyncio.Task[Aside] | None = None

    @property
    def left(self) -> float:
        """Seconds until it has to be over."""
        return max(self._deadline - self._clock.monotonic(), 0.0)

    async def next(self, *, waiting: bool = False) -> Said:
        """With `waiting` it is the server that waits for the client: it may be silent."""
        left = self.left
        patience = left if waiting else min(self._patience, left)
        try:
            if self._asides is None:
                async with asyncio.timeout(patience):
                    return await anext(self._messages)
            return await self._either(self._asides, patience)
        except TimeoutError as error:
            said = "did not finish in time" if left <= patience else f"said nothing for {patience:g} s"
            raise UpstreamTimeout(f"the MCP server {self.server!r} {said}", cause=error) from error
        except StopAsyncIteration as error:
            raise UpstreamBroken(
                f"the MCP server {self.server!r} ended without an answer", cause=error
            ) from error

    def waiting_aside(self) -> Aside | None:
        """One that has come already."""
        if self._aside is not None and self._aside.done():
            said, self._aside = self._aside.result(), None
            return said
        return self._asides.get_nowait() if self._asides is not None and not self._asides.empty() else None

    async def close(self) -> None:
        tasks = [task for task in (self._coming, self._aside) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._messages.aclose()

    async def _either(self, asides: asyncio.Queue[Aside], patience: float) -> Said:
        """Whatever comes first, of the answer's own stream and beside it."""
        if not asides.empty():
            return asides.get_nowait()
        if self._coming is None:
            self._coming = asyncio.create_task(self._one())
        if self._aside is None:
            self._aside = asyncio.create_task(asides.get())
        done, _ = await asyncio.wait(
            (self._aside, self._coming), timeout=patience, return_when=asyncio.FIRST_COMPLETED
        )
        if self._aside in done:
            said, self._aside = self._aside.result(), None
            return said
        if not done:
            raise TimeoutError
        message, self._coming = self._coming, None
        try:
            return message.result()
        except asyncio.CancelledError:
            raise UpstreamBroken(f"the MCP server {self.server!r} was left") from None

    async def _one(self) -> Envelope:
        try:
            return await anext(self._messages)
        except StopAsyncIteration as error:
            # A task cannot end with that.
            raise UpstreamBroken(
                f"the MCP server {self.server!r} ended without an answer", cause=error
            ) from error
