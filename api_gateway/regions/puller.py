"""A region's side: asks the control plane for what is newer, lays it unchanged into the region's Redis, keeps
the last good of it, and says what the region runs. Whatever comes is believed by its signature alone.
"""

import asyncio
import contextlib
import random

import msgspec
from msgspec import Struct

from api_gateway.regions.kept import NAME, Kept
from api_gateway.regions.report import Report
from api_gateway.regions.wire import LONGEST_WAIT, PATH, Pull, Pulled, Signed, mark
from shared.clock import Clock
from shared.errors import Forbidden, GatestackError, Unavailable
from shared.http_client import HttpClient
from shared.redis_client import RedisError
from shared.snapshots import Refused, Snapshots, Superseded

# What stops comes first.
_ORDER = ("kills", "keys", "policy")
_MOST_BYTES = 256 * 1024 * 1024
_ANSWER_SECONDS = 15.0
_HEAL_SECONDS = 1.0
_PAUSE, _LONGEST_PAUSE, _REFUSED_PAUSE = 0.1, 5.0, 10.0
# Between two questions at least, should they ever be answered without waiting.
_BREATH = 0.05
_UNSETTLED_WAIT = 1.0
_TROUBLE = (GatestackError, RedisError, Refused, OSError, msgspec.MsgspecError)


class _Held(Struct, frozen=True):
    epoch: int
    value: bytes
    mark: str


class Puller:
    """`trouble` says why nothing newer can be had; it is empty while all is well. `plane` is the control
    plane's address, `key` the secret that the region shows there.
    """

    def __init__(
        self,
        plane: str,
        key: str,
        *,
        http: HttpClient,
        snapshots: Snapshots,
        report: Report,
        kept: Kept,
        clock: Clock,
        outage_seconds: float = 0.0,
    ) -> None:
        self.plane = plane
        self.trouble = "it has not been asked yet"
        self._key = key
        self._http = http
        self._snapshots = snapshots
        self._report = report
        self._kept = kept
        self._clock = clock
        self._outage_seconds = outage_seconds
        self._held: dict[str, _Held] = {}
        self._answered_at = clock.monotonic()

    @property
    def silent_seconds(self) -> float:
        """How long the control plane has not answered."""
        return self._clock.monotonic() - self._answered_at

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await self._restore()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pull())
                group.create_task(self._heal())
        finally:
            await self._http.close()

    async def _restore(self) -> None:
        """What was good when this process last ran: for a Redis that has lost it, and so that nothing older
        is taken now.
        """
        with contextlib.suppress(OSError):
            for name, value in (await self._kept.load()).items():
                with contextlib.suppress(*_TROUBLE):
                    await self._hold(name, value)

    async def _pull(self) -> None:
        pause = _PAUSE
        while True:
            try:
                await self._take(await self._ask())
                self.trouble, pause = "", _PAUSE
                await asyncio.sleep(_BREATH)
            except _TROUBLE as error:
                self.trouble = error.detail if isinstance(error, GatestackError) else str(error)
                # A key that is no good is not tried again and again: guesses are slowed down there.
                pause = _REFUSED_PAUSE if isinstance(error, Forbidden) else min(pause * 2, _LONGEST_PAUSE)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311

    async def _heal(self) -> None:
        """Lays again what Redis has lost, or did not take."""
        while True:
            held = {name: held.epoch for name, held in self._held.items()}
            with contextlib.suppress(*_TROUBLE):
                if self._outage_seconds and self.silent_seconds > self._outage_seconds:
                    await self._snapshots.withdraw("kills")
                    held.pop("kills", None)
                for name in await self._snapshots.missing(held):
                    await self._lay(name)
            await asyncio.sleep(_HEAL_SECONDS)

    async def _ask(self) -> Pulled:
        """Raises Forbidden where the key is refused, and other GatestackErrors."""
        runs, problems, settled = await self._report.made({n: held.epoch for n, held in self._held.items()})
        wait = 0.0 if self.trouble else LONGEST_WAIT if settled else _UNSETTLED_WAIT
        if self._outage_seconds:
            # Who has nothing to say must not pass for who is gone.
            wait = min(wait, self._outage_seconds / 2)
        holds = {name: held.mark for name, held in self._held.items()}
        body = msgspec.json.encode(Pull(holds=holds, wait_seconds=wait, runs=runs, problems=problems))
        headers = [("authorization", f"Bearer {self._key}"), ("content-type", "application/json")]
        reply = await self._http.send(
            "POST",
            f"{self.plane}/admin/api{PATH}",
            headers=headers,
            body=body,
            header_timeout=wait + _ANSWER_SECONDS,
            idle_timeout=_ANSWER_SECONDS,
        )
        async with reply:
            answer = await reply.read(_MOST_BYTES)
        if reply.status != 200:
            kind = Forbidden if reply.status in (401, 403) else Unavailable
            told = answer[:300].decode("utf-8", "replace")
            raise kind(f"the control plane at {self.plane} answers {reply.status}: {told}")
        return msgspec.json.decode(answer, type=Pulled)

    async def _take(self, pulled: Pulled) -> None:
        """Everything that is good is taken, and then the first trouble is told."""
        self._answered_at = self._clock.monotonic()
        trouble: list[Exception] = []
        for name in sorted(pulled.changed, key=_rank):
            try:
                await self._take_one(name, pulled.changed[name])
            except _TROUBLE as error:
                trouble.append(error)
        if trouble:
            raise trouble[0]

    async def _take_one(self, name: str, signed: Signed) -> None:
        if not NAME.fullmatch(name):
            raise Refused(f"{name[:40]!r} is no name of a snapshot")
        await self._hold(name, signed.value)
        try:
            await self._lay(name)
        finally:
            await self._kept.keep(name, signed.value)

    async def _hold(self, name: str, value: bytes) -> None:
        """Raises Refused for what is older than what is held, or not signed by the control plane."""
        epoch = await self._snapshots.authentic(name, value)
        held = self._held.get(name)
        if held is not None and epoch < held.epoch:
            raise Refused(f"{name}: epoch {epoch} was offered after epoch {held.epoch}")
        self._held[name] = _Held(epoch, value, mark(value.partition(b"\n")[0]))

    async def _lay(self, name: str) -> None:
        # Another edge of this region may be ahead of us.
        with contextlib.suppress(Superseded):
            await self._snapshots.lay(name, self._held[name].value)


def _rank(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)
