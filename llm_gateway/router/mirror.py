"""Copies of calls for a target that is being tried out. Nobody sees its answers, no caller waits for them
and no caller's limits pay for them: each has an entry of its own, below the call that it copies.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from llm_gateway.catalog import Target
from llm_gateway.router.plan import Routes
from llm_gateway.router.ranking import Draw
from llm_gateway.router.section import MirrorSection
from llm_gateway.router.shadow import Shadow
from llm_gateway.router.state import SizeClass, State
from shared.account import Flight
from shared.attempts import nobody
from shared.clock import Clock
from shared.errors import Fault, GatestackError, Stopped, Unavailable, UpstreamFault
from shared.http_client import Reply
from shared.kill import KillSwitch
from shared.ledger.entry import Outcome
from shared.ledger.writer import Ledger


class Copy(Protocol):
    """One copy of a call; `size` is what its answer counts as."""

    size: SizeClass

    async def begin(self, target: Target) -> Reply:
        """Asks. Raises UpstreamFault, and what keeps the target from being asked at all."""
        ...

    async def drain(self) -> None:
        """Reads an answer that has begun to its end: only that tells what it costs. Raises UpstreamFault."""
        ...

    def write(self) -> None:
        """What it has used, into its entry."""
        ...


class Mirrors:
    """Owns every copy that is under way; `close` ends them."""

    def __init__(self, ledger: Ledger, kill: KillSwitch, clock: Clock, *, draw: Draw) -> None:
        self._ledger = ledger
        self._kill = kill
        self._clock = clock
        self._draw = draw
        self._running: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        return len(self._tasks)

    def start(self, routes: Routes, state: State, flight: Flight, made: Callable[[Shadow], Copy]) -> None:
        """Sends a copy on its way, unless chance, the number of those under way or the target's health (of
        which `state` knows) is against it. Returns at once.
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
        task = asyncio.create_task(self._copy(routes, section, state, shadow, made(shadow)))
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
        self, routes: Routes, section: MirrorSection, state: State, shadow: Shadow, copy: Copy
    ) -> None:
        entry = shadow.entry
        try:
            async with asyncio.timeout(section.timeout_seconds):
                await _ask(routes.groups[section.to][0], state, copy)
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
            copy.write()
            entry.duration_us = self._clock.now_us() - entry.started_at
            # Where nobody takes its row now, the ledger holds it and tries again.
            with contextlib.suppress(Unavailable):
                await self._ledger.close(entry, None)


async def _ask(target: Target, state: State, copy: Copy) -> None:
    deployment = state.of(target)
    if not deployment.circuit.admits():
        raise nobody((deployment.circuit,))
    began = deployment.began()
    try:
        reply = await copy.begin(target)
        deployment.answered(began, copy.size)
    except UpstreamFault as error:
        deployment.faulted(error)
        raise
    except BaseException:
        deployment.abandoned()
        raise
    try:
        async with reply:
            await copy.drain()
    finally:
        deployment.ended()
