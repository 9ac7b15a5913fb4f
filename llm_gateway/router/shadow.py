"""The account of a mirrored call: an entry of its own, and the kill switch over it."""

import asyncio

from shared.account import Flight
from shared.clock import Clock
from shared.errors import GatestackError
from shared.identity.principal import Caller, Principal
from shared.kill import KillSwitch
from shared.ledger.entry import Entry, new_id

WHO = "service:mirror"
MIRROR = "mirror"


class Shadow:
    """Whatever kill ends the copied call ends the copy too. `cut` is that kill."""

    def __init__(self, flight: Flight, kill: KillSwitch, clock: Clock) -> None:
        self.cut: GatestackError | None = None
        self.entry = _entry(flight.entry, clock.now_us())
        self._copied = flight.entry
        self._kill = kill
        self._tokens: list[int] = []

    def check(self) -> None:
        """Raises Killed, Unavailable."""
        self._kill.check(self.entry)

    def enter(self, task: asyncio.Task[None]) -> None:
        def cut(reason: GatestackError) -> None:
            self.cut = reason
            task.cancel()

        self._tokens = [self._kill.enter(entry, cut) for entry in (self.entry, self._copied)]

    def leave(self) -> None:
        for token in self._tokens:
            self._kill.leave(token)


def _entry(copied: Entry, now: int) -> Entry:
    entry = Entry(
        id=new_id(),
        service=copied.service,
        started_at=now,
        resource=copied.resource,
        action=MIRROR,
        tags=copied.tags,
        trace_id=copied.trace_id,
    )
    if copied.caller is not None:
        entry.caller = _caller(copied.caller, copied.id)
    return entry


def _caller(caller: Caller, parent: str) -> Caller:
    """Who a copy's cost is booked on: nobody who has asked for anything."""
    return Caller(
        principal=Principal(sub=WHO, tenant=caller.principal.tenant),
        actors=(WHO,),
        chain=caller.chain,
        credential=MIRROR,
        hop=caller.hop + 1,
        parent=parent,
    )
