"""An agent's answer on its way to the client: ids are learnt before the client sees them, bytes stay as
they are.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from agent_gateway.bindings import Answer, Binding
from agent_gateway.call import Call
from agent_gateway.route import Target
from agent_gateway.seen import Seen, seen_in
from agent_gateway.tasks import Tasks
from shared import sse
from shared.account import Flight
from shared.asgi import Exchange
from shared.errors import UpstreamBroken, UpstreamFault, UpstreamRefused
from shared.http_client import Reply
from shared.identity.principal import Caller
from shared.ledger.entry import Outcome

_STREAM = [header for header in sse.HEADERS if header[0] != b"cache-control"]
_RUN_OUT_SECONDS = 0.1
_WENT_WELL = ("completed", "message")


class Relay:
    """One call's answer. `task` is the task that it is about, as soon as that is known and until it has
    ended.
    """

    def __init__(
        self, binding: Binding, tasks: Tasks, flight: Flight, caller: Caller, call: Call, target: Target
    ) -> None:
        self._binding = binding
        self._tasks = tasks
        self._flight = flight
        self._caller = caller
        self._call = call
        self._agent = target.agent.name
        self._learnt: set[tuple[str, str]] = set()
        self._ended = False
        # Only a call that works on a task, or listens to it, takes the task along when it is killed.
        self._holds = call.method.delegates or call.method.streams
        self.task = call.names.task if self._holds else ""

    async def answer(self, body: bytes) -> Answer:
        """A whole answer, or one event's data, looked at. Raises UpstreamBroken."""
        answer = self._binding.answer(self._call, body)
        if answer.code:
            self._failed(answer.code)
        else:
            await self._look(seen_in(self._call.method, answer.result))
        return answer

    async def events(self, exchange: Exchange, reply: Reply, headers: list[tuple[bytes, bytes]]) -> None:
        """Relays a stream until its last event, which goes out when the entry is closed. Raises
        UpstreamFault.
        """
        await exchange.start(200, [*headers, *_STREAM])
        splitter, chunks = sse.SseSplitter(), reply.chunks()
        async for chunk in chunks:
            for event in splitter.feed(chunk):
                event = await self._looked_at(event)
                if self._ended:
                    await exchange.finish(event)
                    await _run_out(chunks)
                    return
                await exchange.write(event)
        if splitter.rest().strip():
            raise UpstreamBroken("the agent's stream ended in the middle of an event")
        await exchange.finish()

    async def _looked_at(self, event: bytes) -> bytes:
        """The event as the client gets it: as it came, unless its id had to be put right."""
        data = sse.data_of(event)
        if not data:
            return event
        answer = await self.answer(data)
        return event if answer.body is data else sse.encode(answer.body)

    async def _look(self, seen: Seen) -> None:
        asked = self._call.names.task
        if not self._call.method.delegates and seen.task != asked:
            raise UpstreamBroken("the agent answered with another task than the one that was asked for")
        if (seen.task, seen.context) not in self._learnt:
            await self._tasks.learn(self._agent, self._caller, seen)
            self._learnt.add((seen.task, seen.context))
        entry = self._flight.entry
        entry.task, entry.context = seen.task or entry.task, seen.context or entry.context
        self._ended = bool(seen.ended)
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


async def _run_out(chunks: AsyncIterator[bytes]) -> None:
    """Reads what an agent sends after its last word: nothing, as a rule, and then its connection can be
    kept.
    """
    with contextlib.suppress(TimeoutError, UpstreamFault):
        async with asyncio.timeout(_RUN_OUT_SECONDS):
            async for _ in chunks:
                pass
