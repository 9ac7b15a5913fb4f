"""Copies of calls for a target that is being tried out. Nobody sees its answers, no caller waits for them
and no caller's limits pay for them: each has an entry of its own, below the call that it copies.
"""

import asyncio
import contextlib
from collections import Counter

from llm_gateway.answer import Answer, Stream
from llm_gateway.attempt import Attempt
from llm_gateway.bill import Bill
from llm_gateway.call import Call
from llm_gateway.router.plan import Routes
from llm_gateway.router.ranking import Draw
from llm_gateway.router.section import MirrorSection
from llm_gateway.router.shadow import Shadow
from llm_gateway.router.state import State, size_class
from shared.account import Flight
from shared.asgi import Headers
from shared.attempts import nobody
from shared.clock import Clock
from shared.errors import Fault, GatestackError, Stopped, Unavailable, UpstreamFault
from shared.http_client import HttpClient
from shared.kill import KillSwitch
from shared.ledger.entry import Outcome
from shared.ledger.writer import Ledger


class Mirrors:
    """Owns every copy that is under way; `close` ends them."""

    def __init__(
        self,
        http: HttpClient,
        state: State,
        ledger: Ledger,
        kill: KillSwitch,
        clock: Clock,
        *,
        max_reply_bytes: int,
        draw: Draw,
    ) -> None:
        self._http = http
        self._state = state
        self._ledger = ledger
        self._kill = kill
        self._clock = clock
        self._cap = max_reply_bytes
        self._draw = draw
        self._running: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        return len(self._tasks)

    def start(self, routes: Routes, flight: Flight, call: Call, passed: Headers) -> None:
        """Sends a copy on its way, unless chance, the number of those under way or the target's health is
        against it. Returns at once.
        """
        section, name = routes.section.mirror, routes.model.name
        if section is None or self._draw() * 100 >= section.percent:
            return
        if self._running[name] >= section.concurrency:
            flight.entry.findings += ("mirror:skipped",)
            return
        flight.entry.findings += (f"mirror:to {section.to}",)
        self._running[name] += 1
        shadow = Shadow(flight, self._kill, self._clock)
        task = asyncio.create_task(self._copy(routes, section, shadow, call.copy(), list(passed)))
        shadow.enter(task)
        self._tasks.add(task)

        def over(_: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._running[name] -= 1
            shadow.leave()

        task.add_done_callback(over)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _copy(
        self, routes: Routes, section: MirrorSection, shadow: Shadow, call: Call, passed: Headers
    ) -> None:
        entry = shadow.entry
        bill = Bill(entry, call.ask, self._clock)
        attempt = Attempt(self._http, shadow, call, bill, passed, max_reply_bytes=self._cap, keep=False)
        try:
            async with asyncio.timeout(section.timeout_seconds):
                await self._ask(routes, section, attempt, call)
            entry.outcome = Outcome.COMPLETED
        except GatestackError as error:
            entry.outcome, entry.reason, entry.detail = Outcome.FAILED, error.reason, error.detail
        except TimeoutError:
            entry.outcome, entry.reason = Outcome.FAILED, "upstream_timeout"
        except asyncio.CancelledError:
            if shadow.cut is None:
                entry.outcome, entry.reason = Outcome.STOPPED, Stopped.reason
            else:
                entry.outcome, entry.reason = Outcome.KILLED, shadow.cut.reason
        finally:
            if entry.outcome is Outcome.OPEN:
                entry.outcome, entry.reason = Outcome.FAILED, Fault.reason
            bill.write()
            entry.duration_us = self._clock.now_us() - entry.started_at
            # Where nobody takes its row now, the ledger holds it and tries again.
            with contextlib.suppress(Unavailable):
                await self._ledger.close(entry, None)

    async def _ask(self, routes: Routes, section: MirrorSection, attempt: Attempt, call: Call) -> None:
        target = routes.groups[section.to][0]
        deployment = self._state.of(target)
        if not deployment.circuit.admits():
            raise nobody((deployment.circuit,))
        began = deployment.began()
        try:
            answer = await attempt(target)
            deployment.answered(began, size_class(call.ask))
        except UpstreamFault as error:
            deployment.faulted(error)
            raise
        except BaseException:
            deployment.abandoned()
            raise
        try:
            async with answer.reply:
                await _drain(answer)
        finally:
            deployment.ended()


async def _drain(answer: Answer) -> None:
    """Reads a stream to its end: only that tells what it costs."""
    content = answer.content
    if not isinstance(content, Stream):
        return
    incoming = content.incoming
    while not (incoming.done or incoming.fault):
        chunk = await anext(content.chunks, None)
        await (incoming.feed(chunk) if chunk is not None else incoming.end())
    if incoming.fault is not None:
        raise incoming.fault
