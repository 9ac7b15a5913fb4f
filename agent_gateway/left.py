"""Tasks that go on at agents after their calls have ended. A kill takes them along, whenever it comes.

A client that merely leaves cancels nothing: in A2A a task goes on without its listeners. Each replica knows
the tasks that its own calls have left, for as long as their owners are remembered.
"""

import asyncio

import msgspec
from msgspec import Struct

from agent_gateway.route import Route, Target
from shared.background import cancelled
from shared.clock import Clock
from shared.http_client import HttpClient
from shared.kill import KillSwitch
from shared.ledger.entry import Entry
from shared.telemetry import Telemetry

_REPLY_CAP = 1_048_576
_HEADER_SECONDS, _LAST_SECONDS = 10.0, 2.0
# Those that were left last stay; of each the last calls of so many chains count.
_MOST, _CHAINS = 5_000, 8
_AT_ONCE, _TURN = 16, 100

# Tenant, agent and task.
_Key = tuple[str, str, str]


class _Task(Struct, frozen=True):
    """Where it is, the calls that have left it, and until when that is remembered."""

    target: Target
    entries: tuple[Entry, ...]
    until: float


class Left:
    """`seconds` is how long the owner of a task is remembered."""

    def __init__(
        self,
        kill: KillSwitch,
        http: HttpClient,
        route: Route,
        clock: Clock,
        telemetry: Telemetry,
        *,
        seconds: int,
    ) -> None:
        self._kill = kill
        self._http = http
        self._route = route
        self._clock = clock
        self._telemetry = telemetry
        self._seconds = seconds
        self._tasks: dict[_Key, _Task] = {}
        self._news = asyncio.Event()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._cancelling: set[asyncio.Task[None]] = set()
        kill.obeyed.append(self._news.set)

    @property
    def count(self) -> int:
        """How many are known."""
        return len(self._tasks)

    async def run(self) -> None:
        """Cancels what a new order means. Until cancelled."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                for number, key in enumerate(list(self._tasks), start=1):
                    self._obey(key)
                    if number % _TURN == 0:
                        await asyncio.sleep(0)
        finally:
            await self._end()

    def note(self, entry: Entry, target: Target, task: str) -> None:
        """`task` goes on, although the call that `entry` is of has ended."""
        # What answers in an agent's place ends with its call.
        if target.agent.bridge is not None:
            return
        key = _key(entry, target, task)
        known = self._tasks.pop(key, None)
        others = [one for one in known.entries if _chain(one) != _chain(entry)] if known is not None else []
        bare = msgspec.structs.replace(target, body=b"")
        entries = (*others[1 - _CHAINS :], entry)
        self._tasks[key] = _Task(bare, entries, self._clock.monotonic() + self._seconds)
        if len(self._tasks) > _MOST:
            del self._tasks[next(iter(self._tasks))]
        # The edge may have obeyed first, and left us before this call was cut.
        self._obey(key)

    def forget(self, entry: Entry, target: Target, task: str) -> None:
        """`task` has ended."""
        self._tasks.pop(_key(entry, target, task), None)

    def _obey(self, key: _Key) -> None:
        task = self._tasks.get(key)
        if task is None:
            return
        if task.until <= self._clock.monotonic():
            del self._tasks[key]
            return
        stopped = next((entry for entry in task.entries if self._kill.stops(entry)), None)
        if stopped is not None:
            del self._tasks[key]
            cancelling = asyncio.create_task(self._cancel(stopped, task.target, key[2]))
            self._cancelling.add(cancelling)
            cancelling.add_done_callback(self._cancelling.discard)

    async def _cancel(self, entry: Entry, target: Target, task: str) -> None:
        try:
            async with self._turns:
                cancellation = await self._route.cancellation(target, task)
                async with await self._http.send(
                    cancellation.method,
                    cancellation.url,
                    headers=cancellation.headers,
                    body=cancellation.body,
                    connect_timeout=target.agent.timeouts.connect_seconds,
                    header_timeout=_HEADER_SECONDS,
                    pinned=cancellation.pinned,
                ) as reply:
                    await reply.read(_REPLY_CAP)
        except Exception as error:  # nobody waits for it: a task that will not end is only worth a log line
            self._telemetry.cause(entry, error)

    async def _end(self) -> None:
        """A moment for what is being cancelled while this process stops."""
        if self._cancelling:
            await asyncio.wait(self._cancelling, timeout=_LAST_SECONDS)
        for task in list(self._cancelling):
            await cancelled(task)


def _key(entry: Entry, target: Target, task: str) -> _Key:
    caller = entry.caller
    return (caller.principal.tenant if caller is not None else "", target.agent.name, task)


def _chain(entry: Entry) -> str:
    return entry.caller.chain if entry.caller is not None else ""
