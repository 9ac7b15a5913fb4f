"""A server as a child process, in either era: one process for all callers, started again when it has died."""

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path

from mcp_gateway.config import Stdio
from mcp_gateway.upstreams import greeting
from mcp_gateway.upstreams.child import Child
from mcp_gateway.upstreams.chores import Chores
from mcp_gateway.upstreams.line import Line
from mcp_gateway.upstreams.upstream import Call, Hearing, Welcome, heard, written
from shared import jsonrpc
from shared.clock import Clock
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamTimeout, UpstreamUnreachable
from shared.jsonrpc import Envelope

_LOG = logging.getLogger("gatestack")  # noqa: TID251  what a child says to nobody is nobody's request
# A child that lived this long is taken to be well: the next death counts as its first.
_HEALTHY_SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
# Some fetch themselves first; one that does not answer an unknown question is asked in another way.
_START_SECONDS, _PROBE_SECONDS = 120.0, 30.0
# What one child for all callers may ask: whose files a tool works on is for each caller to say, so not that.
_OFFERED = b'{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}}}'


class _Process:
    """One life of the child, and what is said on it."""

    def __init__(self, child: Child, began: float, line: Line) -> None:
        self.child = child
        self.began = began
        self.line = line
        self.reader: asyncio.Task[None] | None = None

    @property
    def ended(self) -> UpstreamFault | None:
        return self.line.ended


class StdioUpstream:
    """`changed` is told when the server says that its lists have changed."""

    def __init__(
        self,
        name: str,
        transport: Stdio,
        base: Path,
        clock: Clock,
        *,
        result_cap: int,
        changed: Callable[[str, str], None],
    ) -> None:
        self.name = name
        self._transport = transport
        self._base = base
        self._clock = clock
        self._cap = result_cap
        self._changed = changed
        self._live: tuple[_Process, Welcome] | None = None
        self._starting: asyncio.Task[tuple[_Process, Welcome]] | None = None
        self._chores = Chores()
        self._ids = itertools.count(1)
        self._deaths = 0
        self._not_before = 0.0

    async def welcome(self) -> Welcome:
        return (await self._running())[1]

    async def call(self, call: Call) -> AsyncGenerator[Envelope, None]:
        process, welcome = await self._running()
        request_id = next(self._ids)
        params = written(call, welcome, request_id)
        answered = False
        try:
            said = process.line.exchange(request_id, call.method, params, call.asides)
            async with aclosing(said):
                async for message in said:
                    answered = not message.method
                    yield message
        except (asyncio.CancelledError, GeneratorExit):
            if not answered and process.ended is None:
                self._chores.add(process.child.write(greeting.cancellation(request_id)))
            raise

    async def listen(self, hearing: Hearing) -> AsyncGenerator[Envelope, None]:
        process, welcome = await self._running()
        if welcome.stateless:
            if hearing.lists or hearing.uris:
                async with aclosing(self.call(greeting.listening(hearing))) as said:
                    async for message in said:
                        if not message.method and greeting.knows_nothing(message):
                            return
                        yield message
                raise UpstreamBroken(f"the MCP server {self.name!r} ended its stream")
            return
        ears, ask = process.line.ears, partial(self._ask, process)
        async with ears.hearing(hearing) as heard, ears.subscribed(hearing.uris, ask, self._chores.add):
            async for message in heard:
                yield message

    async def close(self) -> None:
        await self._chores.close()
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._live is not None:
            await self._stop(self._live[0])

    async def _running(self) -> tuple[_Process, Welcome]:
        """The live process and what it said about itself, started first when there is none."""
        if self._live is not None and self._live[0].ended is None:
            return self._live
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(self._started)
        # Whoever does not want to wait leaves; the start goes on for the others, and for the next.
        return await asyncio.shield(self._starting)

    def _started(self, start: asyncio.Task[tuple[_Process, Welcome]]) -> None:
        self._starting = None
        if not start.cancelled() and start.exception() is None:
            self._live = start.result()
            self._changed(self.name, "")

    async def _start(self) -> tuple[_Process, Welcome]:
        pause = self._not_before - self._clock.monotonic()
        if pause > 0:
            raise UpstreamUnreachable(
                f"the MCP server {self.name!r} keeps ending; it is started again in {pause:.1f} s",
                retry_after=pause,
            )
        try:
            async with asyncio.timeout(_START_SECONDS):
                return await self._first_words()
        except TimeoutError as error:
            raise UpstreamTimeout(
                f"the MCP server {self.name!r} did not start within {_START_SECONDS:g} s", cause=error
            ) from error

    async def _first_words(self) -> tuple[_Process, Welcome]:
        process, welcome = await self._life(self._greet)
        if welcome is None and self._transport.era == "auto":
            process, welcome = await self._life(self._initialize)
        if welcome is None:
            raise UpstreamBroken(f"the MCP server {self.name!r} does not speak {greeting.NEWEST}")
        return process, welcome

    async def _life(
        self, greet: Callable[[_Process], Awaitable[Welcome | None]]
    ) -> tuple[_Process, Welcome | None]:
        """A new process that has been greeted. One that has not understood is ended."""
        child = await Child.start(self.name, self._transport, self._base, line_cap=self._cap)
        line = Line(self.name, child.write, self._chores.add, self._changed, shared=True)
        process = _Process(child, self._clock.monotonic(), line)
        process.reader = asyncio.create_task(self._read(process))
        welcome = None
        try:
            welcome = await greet(process)
        finally:
            if welcome is None:
                await self._stop(process)
        return process, welcome

    async def _greet(self, process: _Process) -> Welcome | None:
        """What it says about itself, in the newest era that it knows; None when it did not answer."""
        if self._transport.era == "session":
            return await self._initialize(process)
        params = written(greeting.DISCOVER, greeting.STRANGER, 0)
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                answer = await self._ask(process, greeting.DISCOVER.method, params)
        except (TimeoutError, UpstreamBroken):
            # It is in the middle of that question for ever, or died of it: it has to be asked in another
            # life.
            return None
        welcome = greeting.discovered(answer)
        if welcome is not None or self._transport.era == "stateless":
            return welcome
        return await self._initialize(process)

    async def _initialize(self, process: _Process) -> Welcome | None:
        answer = await self._ask(process, "initialize", greeting.initialize_params(_OFFERED))
        welcome = greeting.initialized(answer, self.name)
        await process.child.write(jsonrpc.request(b"", "notifications/initialized"))
        return welcome

    async def _stop(self, process: _Process) -> None:
        process.line.end(UpstreamBroken(f"the MCP server {self.name!r} was stopped"))
        if process.reader is not None:
            process.reader.cancel()
            await asyncio.gather(process.reader, return_exceptions=True)
        if process.child.alive:
            # Its reader never began, or was stopped while it was stopping the child.
            await process.child.stop()

    async def _ask(self, process: _Process, method: str, params: bytes) -> Envelope:
        async with aclosing(process.line.exchange(next(self._ids), method, params)) as said:
            async for message in said:
                if not message.method:
                    return message
        raise AssertionError("an exchange ends with an answer or an error")

    async def _read(self, process: _Process) -> None:
        """Hands out what the child says until it ends or is stopped; then nobody is left waiting, and it is
        gone.
        """
        reason: UpstreamFault | None = None
        try:
            async for line in process.child.lines():
                self._hear(process, line)
        except UpstreamFault as error:
            reason = error
        finally:
            stopped = process.ended is not None
            how = await asyncio.shield(asyncio.create_task(process.child.stop()))
            if not stopped:
                self._died(process, how)
            process.line.end(
                reason or UpstreamBroken(f"the MCP server {self.name!r} ended ({how}) during this call")
            )

    def _died(self, process: _Process, how: str) -> None:
        now = self._clock.monotonic()
        self._deaths = 1 if now - process.began > _HEALTHY_SECONDS else self._deaths + 1
        if self._deaths > 1:
            self._not_before = now + min(_FIRST_PAUSE * 2 ** (self._deaths - 2), _LONGEST_PAUSE)
        self._changed(self.name, "")
        _LOG.warning("the MCP server %s ended (%s)", self.name, how)

    def _hear(self, process: _Process, line: bytes) -> None:
        try:
            message = heard(line, self.name)
        except UpstreamFault:
            _LOG.debug("%s said something that is no JSON-RPC: %r", self.name, line[:200])
            return
        process.line.hear(message)
