"""How the stack stands: which process runs which epoch of what, how old its kill list is, and how long the
last change of each snapshot took until everybody had it.
"""

from typing import Any

import msgspec
from msgspec import Struct

from api_gateway.admin import Answer, Ask, Page
from api_gateway.control import Control
from api_gateway.regions.puller import Puller
from api_gateway.regions.roll import Region, RegionRoll
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


class SeenRegion(Region, frozen=True, kw_only=True):
    """A region, as it has last said itself; `behind` are the snapshots of which it runs an older epoch."""

    silent_seconds: float
    gone: bool
    behind: list[str]


class Plane(Struct, frozen=True, kw_only=True):
    """The control plane that this region obeys; `trouble` says why nothing newer can be had of it."""

    address: str
    silent_seconds: float
    trouble: str


class Status(Struct, frozen=True, kw_only=True):
    """`ok`: nobody is behind, nobody who is there has a problem, no region is silent. `database`: what is
    wrong with it. `plane`: in a region, whom it obeys.
    """

    ok: bool
    snapshots: dict[str, Convergence]
    replicas: list[Seen]
    regions: list[SeenRegion]
    database: str = ""
    plane: Plane | None = None


def pages(
    roll: RollCall, snapshots: Snapshots, regions: RegionRoll, puller: Puller | None
) -> tuple[Page, ...]:
    async def status(control: Control, ask: Ask) -> Answer:
        """Who runs what, and how far each change has come."""
        if not ask.all_tenants:
            raise Forbidden("the whole stack is looked at by its own operators only")
        replicas, now = await roll.ask()
        published = await snapshots.published()
        away = [_region(one, published, control.now_us()) for one in await regions.ask()]
        here = [one for one in replicas if not one.is_gone(now)]
        found = {name: convergence(name, epoch, here) for name, epoch in sorted(published.items())}
        return 200, Status(
            ok=_well(found, here, away) and not (puller and puller.trouble),
            snapshots=found,
            replicas=[_seen(one, now) for one in replicas],
            regions=away,
            database=await _database(control),
            plane=_plane(puller),
        )

    return (Page(method="GET", path="/status", area="status", action="read", call=status, answer=Status),)


def _well(found: dict[str, Convergence], here: list[Replica], away: list[SeenRegion]) -> bool:
    if any(one.behind for one in found.values()) or any(one.problems for one in here):
        return False
    return not any(one.behind or one.problems or one.gone for one in away)


def _region(one: Region, published: dict[str, int], now: int) -> SeenRegion:
    fields: dict[str, Any] = msgspec.structs.asdict(one)
    return SeenRegion(
        **fields,
        silent_seconds=max(0.0, round((now - one.said_at) / 1_000_000, 1)),
        gone=one.is_gone(now),
        behind=[name for name, run in sorted(one.runs.items()) if run.epoch < published.get(name, 0)],
    )


def _plane(puller: Puller | None) -> Plane | None:
    if puller is None:
        return None
    silent = round(puller.silent_seconds, 1)
    return Plane(address=puller.plane, silent_seconds=silent, trouble=puller.trouble)


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
