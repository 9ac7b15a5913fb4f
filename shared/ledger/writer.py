"""The ledger's writing end: seals each closed entry into its writer's chain and makes the row durable.

A row goes to Redis in the script that settles its lease, and to the journal when Redis does not take it.
Moving rows on to SQL is the drain's business.
"""

import asyncio
import contextlib
from collections import deque

from shared.clock import Clock
from shared.errors import Unavailable
from shared.identity.signing import Signer
from shared.ledger import checkpoint
from shared.ledger.checkpoint import Mark
from shared.ledger.entry import Entry, new_id
from shared.ledger.journal import Journal
from shared.ledger.lines import Waiting
from shared.ledger.row import Row, SealedRow, checkpoint_row, row_of, seal
from shared.ledger.settlement import Outgoing, resumed, used
from shared.limits.limiter import Lease, Limiter

_CHECKPOINT_ROWS = 1000
_CHECKPOINT_SECONDS = 60.0
_TICK_SECONDS = 1.0
# Rows that neither Redis nor the disk takes are held in memory, up to here.
_HELD = 10_000


class Ledger:
    """One writer: one process of one service. `close` may be called by any number of tasks at once.

    `trouble` says what last kept a row out of Redis, "" while all is well.
    """

    def __init__(
        self, limiter: Limiter, journal: Journal, signer: Signer | None, *, service: str, clock: Clock
    ) -> None:
        self.writer = f"{service}-{new_id()}"
        self.trouble = ""
        self._limiter = limiter
        self._journal = journal
        self._signer = signer
        self._service = service
        self._clock = clock
        self._seq = 0
        self._prev = ""
        # The hash before each row that is not durable yet, oldest first.
        self._pending: dict[int, str] = {}
        self._last_entry = 0
        self._signed = 0
        self._signed_at = clock.monotonic()
        self._wake = asyncio.Event()
        self._left_behind: set[asyncio.Task[None]] = set()
        self._held: deque[Outgoing] = deque()
        journal.claim(self.writer)

    @property
    def waiting(self) -> int:
        """How many bytes of rows wait on this disk for Redis."""
        return self._journal.waiting

    async def close(self, entry: Entry, lease: Lease | None) -> None:
        """Returns when the row is durable. Raises Unavailable when neither Redis nor the journal takes it; it
        is held in memory then and tried again."""
        tenant = entry.caller.principal.tenant if entry.caller else ""
        # Nothing is awaited between taking a place in the chain and filling it: that is what orders the rows.
        row = row_of(entry, writer=self.writer, seq=self._seq + 1, prev=self._prev)
        out = Outgoing(row.seq, tenant, self._seal(row), lease, used(entry, lease))
        self._last_entry = row.seq
        try:
            await self._keep(out)
        except asyncio.CancelledError:
            # The caller may go; its row has its place and must arrive.
            task = asyncio.create_task(self._keep_or_hold(out))
            self._left_behind.add(task)
            task.add_done_callback(self._left_behind.discard)
            raise
        except Unavailable:
            self._hold(out)
            raise

    async def run(self) -> None:
        """Until cancelled: sends what waits in journals when Redis is back, and signs checkpoints."""
        while True:
            await self.tick()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._wake.wait()
            self._wake.clear()

    async def tick(self) -> None:
        """One round of `run`."""
        try:
            await self._journal.replay(self._send)
            await self._keep_held()
            rows, seconds = self._unsigned(), self._clock.monotonic() - self._signed_at
            if rows >= _CHECKPOINT_ROWS or seconds >= _CHECKPOINT_SECONDS:
                await self._checkpoint()
        except Exception as error:  # whatever it is: rows must go on being kept, and it is tried again
            self.trouble = str(error)
        else:
            self.trouble = ""

    async def stop(self) -> None:
        """Waits for rows under way and signs the chain's end. `run` must have been cancelled before."""
        while self._left_behind:
            await asyncio.wait(self._left_behind)
        try:
            with contextlib.suppress(Unavailable):
                await self._keep_held()
                await self._checkpoint()
        finally:
            await self._journal.close()

    def _seal(self, row: Row) -> SealedRow:
        sealed = SealedRow(*seal(row))
        self._pending[row.seq] = row.prev
        self._seq, self._prev = row.seq, sealed.hash.hex()
        return sealed

    async def _keep(self, out: Outgoing) -> None:
        try:
            await self._settle(out)
        except Exception as error:  # gone, full, or a mistake of ours: the row comes first
            self.trouble = str(error)
            await self._journal.append(out.waiting())
        self._pending.pop(out.seq, None)
        if out.seq % _CHECKPOINT_ROWS == 0:
            self._wake.set()

    async def _keep_or_hold(self, out: Outgoing) -> None:
        try:
            await self._keep(out)
        except Unavailable:
            self._hold(out)

    def _hold(self, out: Outgoing) -> None:
        if len(self._held) < _HELD:
            self._held.append(out)

    async def _keep_held(self) -> None:
        while self._held:
            await self._keep(self._held[0])
            self._held.popleft()

    async def _send(self, waiting: Waiting) -> None:
        """A line of a journal, ours or a dead writer's."""
        out = resumed(waiting)
        try:
            await self._settle(out)
        except Unavailable:
            raise
        except Exception:
            # Something is wrong with its lease: that must not hold up the row, and every row behind it.
            await self._settle(Outgoing(out.seq, out.tenant, out.sealed))

    async def _settle(self, out: Outgoing) -> None:
        row, digest = out.sealed.body, out.sealed.hash
        await self._limiter.settle(out.lease, out.used, tenant=out.tenant, row=row, hash=digest)

    def _durable(self) -> Mark:
        """The last row that has arrived together with every row before it."""
        oldest = next(iter(self._pending), None)
        if oldest is None:
            return Mark(self.writer, self._seq, self._prev)
        return Mark(self.writer, oldest - 1, self._pending[oldest])

    def _unsigned(self) -> int:
        return max(0, min(self._durable().seq, self._last_entry) - self._signed)

    async def _checkpoint(self) -> None:
        """Signs the chain as far as it is durable. Not while rows wait in the journal: a checkpoint must not
        be seen before the rows that it covers."""
        self._signed_at = self._clock.monotonic()
        if self._signer is None or self._journal.waiting or not self._unsigned():
            return
        mark, at = self._durable(), self._clock.now_us()
        token = checkpoint.sign(self._signer, mark, at)
        self._signed = mark.seq
        row = checkpoint_row(
            token, writer=self.writer, seq=self._seq + 1, prev=self._prev, service=self._service, at=at
        )
        await self._keep_or_hold(Outgoing(row.seq, "", self._seal(row)))
