"""The frame round one request: one ledger entry, opened first and closed exactly once, whatever happens
inside.

It renders refusals and failures in the caller's dialect, notices clients that leave and kills that arrive,
and makes the row durable before the last byte goes out. It decides nothing about the request itself.
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from shared import trace
from shared.asgi import Exchange
from shared.clock import Clock
from shared.dialects import Dialect
from shared.endings import forget_way, outcome_of
from shared.errors import (
    ClientGone,
    DelegationRefused,
    Fault,
    Forbidden,
    GatestackError,
    Killed,
    Stopped,
)
from shared.identity.principal import Caller, Trace
from shared.kill import KillSwitch
from shared.ledger.entry import Entry, Outcome
from shared.ledger.strangers import Strangers
from shared.ledger.writer import Ledger
from shared.limits.limiter import Lease
from shared.policy import Grant
from shared.telemetry import Telemetry

_CUT_SECONDS = 2.0
_PATIENCE_SECONDS = 0.25


class Flight:
    """One open request. Stages fill `entry`; `lease` is settled when the entry closes; `on_cut` runs when
    the request is killed or its client leaves (cancel what was started upstream); `unsent` gives back what
    was used up for the request, where it ends before any of it has gone upstream. `dialect` may be replaced
    once the body is known.
    """

    def __init__(self, account: "Account", exchange: Exchange, dialect: Dialect) -> None:
        self.exchange = exchange
        self.dialect = dialect
        self.lease: Lease | None = None
        self.taint: tuple[str, ...] = ()
        self.on_cut: list[Callable[[], Awaitable[None]]] = []
        self.unsent: Callable[[], Awaitable[None]] | None = None
        self.entry = Entry(
            id=exchange.request_id, service=account.service, started_at=account.clock.now_us(), request_id=""
        )
        self.trace = Trace(trace_id="", span_id="")
        self._account = account
        self._began = account.clock.monotonic()
        self._parent: Trace | None = None
        self._cut: Exception | None = None
        self._leaving = False
        self._spared = False
        self._stays = False
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None

    def elapsed_us(self) -> int:
        """Microseconds since this request came in."""
        return int((self._account.clock.monotonic() - self._began) * 1_000_000)

    def spare(self) -> None:
        """Takes this request out of the kill switch's reach: whoever works the switch must not be cut by
        it.
        """
        self._spared = True

    def stay(self) -> None:
        """This request is brought to its end even when its client leaves; a kill still cuts it."""
        self._stays = True

    def sends(self) -> None:
        """From here on its upstream may know of this request, however it ends."""
        self.unsent = None

    def identify(self, caller: Caller) -> None:
        """Records who calls, places the span below its true parent, and asks the kill list. Raises Killed."""
        self.entry.caller = caller
        self._parent = _parent(caller.trace, self.exchange.trace)
        signed = caller.trace is not None
        self.trace = trace.child(self._parent, sample=self._account.telemetry.sample, trusted=signed)
        self.entry.trace_id, self.entry.span_id = self.trace.trace_id, self.trace.span_id
        self.exchange.stamps.append((b"x-gatestack-chain", caller.chain.encode()))
        self.check()

    def granted(self, grant: Grant) -> None:
        """Records what policy answered."""
        decision = grant.decision
        self.entry.decision, self.entry.rule, self.entry.epoch = "allow", decision.rule, decision.epoch

    def check(self) -> None:
        """Asks the kill list again, after a stage has added facts to the entry. Raises Killed,
        Unavailable.
        """
        if not self._spared:
            self._account.kill.check(self.entry)

    async def close(self, outcome: Outcome = Outcome.COMPLETED) -> None:
        """Settles the lease and makes the row durable; the first call decides the outcome, later ones do
        nothing.
        """
        if self._leaving:
            return
        self._leaving = True
        entry = self.entry
        if entry.outcome is Outcome.OPEN:
            entry.outcome = outcome
        entry.status = self.exchange.status
        entry.duration_us = self.elapsed_us()
        if self._account.strangers.counted(entry, self.exchange.scope):
            self._account.telemetry.count(entry)
            return
        try:
            await self._account.ledger.close(entry, self.lease)
        finally:
            self._account.telemetry.end(entry, self._parent, sampled=self.trace.sampled)

    def cut(self, reason: Exception) -> None:
        """Ends this request from outside: its task is cancelled and the frame turns that into `reason`."""
        spared = self._spared and isinstance(reason, Killed)
        if not self._leaving and self._cut is None and not spared:
            self._cut = reason
            self._task.cancel()

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._token = self._account.kill.enter(self.entry, self.cut)
        exchange = self.exchange
        exchange.before_last = self.close
        exchange.on_start = self._first_byte
        exchange.body_read = self._watch_client
        exchange.stamps.append((b"x-gatestack-call", self.entry.id.encode()))
        if not exchange.expects_body:
            self._watch_client()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        raised = error
        if isinstance(error, asyncio.CancelledError) and self._cut is not None:
            self._task.uncancel()
            error = self._cut
        # From here on nothing may cancel this task on our behalf any more.
        cut, self._cut = self._cut, self._cut or ClientGone()
        # Beside the goodbye, not after it: a client that does not read holds that up for as long as it likes.
        hooks = asyncio.create_task(self._run_cut_hooks()) if cut is not None and self.on_cut else None
        try:
            if error is not None:
                # Before the goodbye: whoever hears that may send the same again at once.
                await self._give_back()
            await self._leave(error)
        finally:
            self._account.kill.leave(self._token)
            if self._timer is not None:
                self._timer.cancel()
            if self._watch is not None:
                # What ends a task holds the frames it went through, and they this flight.
                self._watch.cancel()
                self._watch = None
            if hooks is not None:
                await hooks
            self.on_cut.clear()
            self.exchange.let_go()
        if isinstance(error, asyncio.CancelledError):
            return False
        forget_way(raised)
        return True

    async def _leave(self, error: BaseException | None) -> None:
        if error is None:
            await self._finish()
        elif isinstance(error, ClientGone):
            await self._record(Outcome.CLIENT_GONE, ClientGone.reason)
        elif isinstance(error, asyncio.CancelledError):
            await self._record(Outcome.STOPPED, Stopped.reason)
        elif isinstance(error, GatestackError):
            await self._refuse(error)
        elif isinstance(error, Exception):
            self._account.telemetry.fault(self.entry, error)
            await self._refuse(Fault("an internal error; the call id tells the operator which", cause=error))
        else:
            raise error

    async def _finish(self) -> None:
        if self.exchange.finished:
            await self.close()
        elif self.exchange.started:
            await self.exchange.finish()
        else:
            await self._refuse(
                Fault("an internal error; the call id tells the operator which", cause="no reply")
            )

    async def _record(self, outcome: Outcome, reason: str) -> None:
        self.entry.outcome, self.entry.reason = outcome, reason
        await self.close()

    async def _refuse(self, error: GatestackError) -> None:
        if self._leaving:
            # The row is written and says the call was complete: only the last byte failed to leave.
            return
        entry, exchange = self.entry, self.exchange
        entry.outcome = outcome_of(error, started=exchange.started)
        entry.reason, entry.detail = error.reason, error.detail
        if isinstance(error, Forbidden | DelegationRefused):
            entry.decision, entry.rule, entry.epoch = "deny", error.rule, error.epoch
        if error.cause is not None:
            self._account.telemetry.cause(entry, error.cause)
        if not exchange.started:
            status, headers, body = self.dialect.refusal(error, entry.id)
            await exchange.reply(status, headers, body)
        elif event := self.dialect.event(error, entry.id):
            await exchange.finish(event)
        else:
            await self.close()
            raise error

    async def _give_back(self) -> None:
        unsent, self.unsent = self.unsent, None
        if unsent is None:
            return
        try:
            await self._run_hook(unsent)
        except asyncio.CancelledError:
            await self._record(Outcome.STOPPED, Stopped.reason)
            raise

    async def _run_cut_hooks(self) -> None:
        for hook in self.on_cut:
            await self._run_hook(hook)

    async def _run_hook(self, hook: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(_CUT_SECONDS):
                await hook()
        except Exception as error:  # the request is over: a failed clean-up is only worth a log line
            self._account.telemetry.cause(self.entry, error)

    def _first_byte(self) -> None:
        self.entry.first_byte_us = self.elapsed_us()

    def _watch_client(self) -> None:
        # Most calls are over before anybody could have lost patience, on a busy machine too: a timer is
        # cheaper than a task. One is enough, also where a request without a body is read.
        if self._timer is not None:
            return
        self._timer = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._watch_now)

    def _watch_now(self) -> None:
        self._watch = asyncio.create_task(self._until_client_leaves())

    async def _until_client_leaves(self) -> None:
        await self.exchange.disconnected()
        if not self._stays:
            self.cut(ClientGone())


class Account:
    """Opens a flight for every request of one service."""

    def __init__(
        self, service: str, ledger: Ledger, kill: KillSwitch, telemetry: Telemetry, clock: Clock
    ) -> None:
        self.service = service
        self.ledger = ledger
        self.kill = kill
        self.telemetry = telemetry
        self.clock = clock
        self.strangers = Strangers(ledger.close, telemetry.tell, clock)

    def __call__(self, exchange: Exchange, dialect: Dialect) -> Flight:
        return Flight(self, exchange, dialect)


def _parent(signed: Trace | None, inbound: Trace | None) -> Trace | None:
    """A signed token says which trace this call belongs to; the header may only place it deeper in that same
    trace.
    """
    if signed is None:
        return inbound
    return inbound if inbound is not None and inbound.trace_id == signed.trace_id else signed
