"""An agent's answer on its way to the client: ids are learnt before the client sees them; where both speak
the same way, bytes stay as they are.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from agent_gateway.bindings import Answer
from agent_gateway.bindings.wires import WIRES
from agent_gateway.call import Call
from agent_gateway.guard import Inspection
from agent_gateway.route import Target
from agent_gateway.seen import Seen, seen_in
from agent_gateway.tasks import Tasks
from shared import sse
from shared.account import Flight
from shared.asgi import Exchange
from shared.errors import GatestackError, UpstreamBroken, UpstreamFault, UpstreamRefused
from shared.http_client import Reply
from shared.identity.principal import Caller
from shared.ledger.entry import Outcome

Resume = Callable[[str], Awaitable[tuple[Call, Reply] | None]]
_STREAM = [header for header in sse.HEADERS if header[0] != b"cache-control"]
_RUN_OUT_SECONDS = 0.1
_WENT_WELL = ("completed", "message")
# A stream that was cut is taken up again this often without a new event in between: for about three seconds,
# in which an agent may have been started again.
_RESUMPTIONS, _PAUSE_SECONDS = 6, 0.05


class Relay:
    """One call's answer. `task` is the task that it works on, as soon as that is known and until it is
    `over`.
    """

    def __init__(
        self,
        tasks: Tasks,
        flight: Flight,
        caller: Caller,
        call: Call,
        target: Target,
        bound: Callable[[str, str], Awaitable[None]],
        inspection: Inspection,
    ) -> None:
        self._from, self._to = WIRES[target.wire], WIRES[call.wire]
        self._tasks = tasks
        self._target = target
        self._flight = flight
        self._caller = caller
        self._call = call
        self._agent = target.agent.name
        self._bound = bound
        self.inspection = inspection
        self._learnt: set[tuple[str, str]] = set()
        self.over = False
        self._ended = False
        self._going_on = False
        self._passed = 0
        # Only a call that works on a task, or listens to it, takes the task along when it is killed.
        self._holds = call.method.delegates or call.method.streams
        self.task = call.names.task if self._holds else ""

    async def looked_at(self, answer: Answer) -> Answer:
        """A whole answer, or one event, that may go on. Raises UpstreamBroken."""
        if answer.failure is not None:
            self._failed(answer.failure.code)
        else:
            await self._look(seen_in(self._call.method, answer.result))
        return answer

    async def events(
        self, exchange: Exchange, reply: Reply, headers: list[tuple[bytes, bytes]], resume: Resume
    ) -> None:
        """Relays a stream until its last event, which goes out when the entry is closed. A stream that is
        cut before is taken up again by `resume`. Raises UpstreamFault.
        """
        if not exchange.started:
            await exchange.start(200, [*headers, *_STREAM])
        call, tries = self._call, 0
        while True:
            before, cut = self._passed, None
            try:
                await self._pass_on(call, reply, exchange)
            except _Cut as found:
                cut = found.error
            if self._ended and cut is None:
                return
            # A new subscription brings the task as it stands: it counts as progress only if more follows.
            tries = 0 if self._passed > before + 1 else tries + 1
            resumed = await self._resumed(resume, tries, cut)
            if resumed is None:
                break
            call, reply = resumed
        if cut is not None:
            raise cut
        rest = [self._to.event(self._call, each) for each in await self.inspection.end()]
        await exchange.finish(b"".join(rest))

    async def _pass_on(self, call: Call, reply: Reply, exchange: Exchange) -> None:
        """Until the stream ends, or has said all. Raises _Cut, UpstreamFault."""
        async with reply:
            splitter, chunks = sse.SseSplitter(), reply.chunks()
            while (chunk := await _next(chunks)) is not None:
                if await self._passed_on(call, splitter.feed(chunk), exchange):
                    await _run_out(chunks)
                    return
            if splitter.rest().strip():
                raise UpstreamBroken("the agent's stream ended in the middle of an event")

    async def _passed_on(self, call: Call, events: list[bytes], exchange: Exchange) -> bool:
        """Events that came together go out together; whether the last word was among them. What precedes one
        that is none goes out before that is said.
        """
        ready: list[bytes] = []
        for event in events:
            try:
                ready.append(await self._written(call, event))
            except GatestackError:
                if any(ready):
                    await exchange.write(b"".join(ready))
                raise
            if self._ended:
                await exchange.finish(b"".join(ready))
                return True
            self._passed += 1
        if any(ready):
            await exchange.write(b"".join(ready))
        return False

    async def _written(self, call: Call, event: bytes) -> bytes:
        """What the client gets for this event: it as it came, where both speak the same way and it was right;
        none of it, or more, where guards hold something back.
        """
        data = sse.data_of(event)
        if not data:
            return event
        answer = await self.looked_at(self._from.answer(call, data))
        seen = await self.inspection.event(answer, last=self._ended or not self._going_on)
        same = call is self._call and answer.wire == call.wire and answer.body is data
        if same and len(seen) == 1 and seen[0] is answer:
            return event
        return b"".join(self._to.event(self._call, _of(call, self._call, each)) for each in seen)

    async def _resumed(
        self, resume: Resume, tries: int, cut: GatestackError | None
    ) -> tuple[Call, Reply] | None:
        """The stream that follows one that broke off, where there is a task to follow and it goes on."""
        follows = bool(self.task) and (cut is not None or (self._going_on and tries <= 1))
        while follows and tries <= _RESUMPTIONS:
            await asyncio.sleep(_PAUSE_SECONDS * (2**tries - 1))
            self._flight.check()
            with contextlib.suppress(UpstreamFault):
                return await resume(self.task)
            tries += 1
        return None

    async def _look(self, seen: Seen) -> None:
        asked = self._call.names.task
        if not self._call.method.delegates and seen.task != asked:
            raise UpstreamBroken("the agent answered with another task than the one that was asked for")
        if (seen.task, seen.context) not in self._learnt:
            await self._tasks.learn(self._agent, self._caller, seen)
            await self._target.learn(seen)
            self._learnt.add((seen.task, seen.context))
            if self._call.webhook and seen.task:
                await self._bound(self._call.webhook, seen.task)
        entry = self._flight.entry
        entry.task, entry.context = seen.task or entry.task, seen.context or entry.context
        self._ended, self.over = bool(seen.ended), bool(seen.ended) and seen.ended == seen.state
        if seen.state:
            self._going_on = seen.state in ("submitted", "working")
        if self._holds:
            self.task = "" if seen.ended else seen.task or self.task
        if seen.ended and seen.ended not in _WENT_WELL:
            entry.detail = f"the task ended as {seen.ended}"

    def _failed(self, code: int) -> None:
        """The agent's own error goes to the client as it is; the ledger still calls the call failed."""
        self._ended = True
        entry = self._flight.entry
        entry.outcome = Outcome.FAILED
        entry.reason, entry.detail = UpstreamRefused.reason, f"the agent answered error {code}"


def _of(sent: Call, call: Call, answer: Answer) -> Answer:
    """What answers another call of ours does not, as it came, answer the client's."""
    return answer if sent is call else Answer(result=answer.result, failure=answer.failure)


class _Cut(Exception):
    """The connection to the agent broke in the middle of its stream: nothing is wrong with what it said."""

    def __init__(self, error: UpstreamBroken) -> None:
        super().__init__(error.detail)
        self.error = error


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    try:
        return await anext(chunks, None)
    except UpstreamBroken as error:
        raise _Cut(error) from error


async def _run_out(chunks: AsyncIterator[bytes]) -> None:
    """Reads what an agent sends after its last word: nothing, as a rule, and then its connection can be
    kept.
    """
    with contextlib.suppress(TimeoutError, UpstreamFault):
        async with asyncio.timeout(_RUN_OUT_SECONDS):
            async for _ in chunks:
                pass
