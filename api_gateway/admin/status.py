"""How the stack stands: which process runs which epoch of what, how old its kill list is, and how long the
last change of each snapshot took until everybody had it.
"""

from typing import Any

import msgspec
from msgspec import Struct

from api_gateway.admin import Answer, Ask, Page
from api_gateway.control import Control
from shared.errors import Forbidden, Unavailable
from shared.roll_call import Replica, RollCall
from shared.snapshots import Snapshots


class Convergence(Struct, frozen=True, kw_only=True):
    """Of one snapshot: the newest `epoch`, how many live processes obey it and how many of these are still
    `behind`. `ms`: from its publication until the last of those that were there had it (null: nobody was).
    """

    epoch: int
    replicas: int
    behind: int
    ms: float | None


class Seen(Replica, frozen=True, kw_only=True):
    """A process. `silent_seconds`: since it was last heard of; `gone`: for too long."""

    silent_seconds: float
    gone: bool


class Status(Struct, frozen=True, kw_only=True):
    """`ok`: nobody is behind, and nobody who is there has a problem. `database`: what is wrong with it."""

    ok: bool
    snapshots: dict[str, Convergence]
    replicas: list[Seen]
    database: str = ""


def pages(roll: RollCall, snapshots: Snapshots) -> tuple[Page, ...]:
    async def status(control: Control, ask: Ask) -> Answer:
        """Who runs what, and how far each change has come."""
        if not ask.all_tenants:
            raise Forbidden("the whole stack is looked at by its own operators only")
        return 200, await _status(control, roll, snapshots)

    return (Page(method="GET", path="/status", area="status", action="read", call=status, answer=Status),)


async def _status(control: Control, roll: RollCall, snapshots: Snapshots) -> Status:
    replicas, now = await roll.ask()
    here = [one for one in replicas if not one.is_gone(now)]
    found = {
        name: convergence(name, epoch, here) for name, epoch in sorted((await snapshots.published()).items())
    }
    behind = any(one.behind for one in found.values())
    return Status(
        ok=not behind and not any(one.problems for one in here),
        snapshots=found,
        replicas=[_seen(one, now) for one in replicas],
        database=await _database(control),
    )


def convergence(name: str, epoch: int, here: list[Replica]) -> Convergence:
    """Epochs are the milliseconds since 1970 at which they were published."""
    obeying = [one for one in here if name in one.epochs]
    # Who has started since took it over as it came up: that tells nothing of how fast it got round.
    late = [one for one in obeying if one.epochs[name] == epoch and one.started_at < epoch * 1000]
    took = [one.taken[name] / 1000 - one.skew_ms - epoch for one in late if name in one.taken]
    return Convergence(
        epoch=epoch,
        replicas=len(obeying),
        behind=sum(one.epochs[name] < epoch for one in obeying),
        ms=round(max(0.0, *took), 1) if took else None,
    )


def _seen(one: Replica, now: int) -> Seen:
    fields: dict[str, Any] = msgspec.structs.asdict(one)
    silent = max(0.0, round((now - one.said_at) / 1_000_000, 1))
    return Seen(**fields, silent_seconds=silent, gone=one.is_gone(now))


async def _database(control: Control) -> str:
    try:
        await control.store.latest_policy()
    except Unavailable as error:
        return error.detail
    return ""
