"""What becomes of the servers that another registry lists: which are written, which stay as they are."""

from typing import Any

import msgspec
from msgspec import Struct

from api_gateway.admin import Ask, published
from api_gateway.admin.imports import Imported
from api_gateway.control import Control
from shared.catalog_entries import CatalogEntry, State
from shared.errors import BadRequest, Forbidden
from shared.store import Kept, Write
from shared.store.objects import changed_entry, new_entry

_UNVOUCHED = ("imported", "deprecated", "quarantined")
_There = dict[tuple[str, str], tuple[Kept, CatalogEntry]]


class Plan(Struct):
    """`fresh` are new or have changed there, `gone` are deleted there and here from now on; `skipped` says
    why others are not among them.
    """

    fresh: list[CatalogEntry]
    gone: list[CatalogEntry]
    skipped: list[str]
    writes: list[Write]

    def told(self) -> dict[str, Any]:
        quarantined = [_named(entry) for entry in self.fresh if entry.state == "quarantined"]
        return {
            "imported": [_named(entry) for entry in self.fresh if entry.state != "quarantined"],
            "quarantined": quarantined,
            "deleted": [_named(entry) for entry in self.gone],
            "skipped": self.skipped,
        }


async def planned(control: Control, ask: Ask, found: Imported, reason: str) -> Plan:
    """What was published here, or decided on by somebody here, is left alone."""
    there = await _there(control)
    plan = Plan([], [], list(found.skipped), [])
    for server in found.servers:
        await _place(control, ask, plan, there, _entry(control, ask, found, server, reason))
    for key in sorted(found.gone):
        kept, old = there.get(key, (None, None))
        # Whoever made it active here vouches for it.
        if kept is not None and old is not None and old.source == found.source and old.state in _UNVOUCHED:
            stamp = {"by": ask.caller.actor, "reason": reason, "updated_at": control.now_us()}
            gone = msgspec.structs.replace(old, state="deleted", **stamp)
            plan.gone.append(gone)
            plan.writes.append(changed_entry(kept.content, gone))
    return plan


async def _place(control: Control, ask: Ask, plan: Plan, there: _There, entry: CatalogEntry) -> None:
    kept, old = there.get((entry.name, entry.version), (None, None))
    name = f"{entry.name} {entry.version}"
    try:
        published.allowed(control, ask, entry.kind, entry.name)
        entry = await published.looked_at(entry)
    except (Forbidden, BadRequest) as refusal:
        plan.skipped.append(f"{name}: {refusal.detail}")
        return
    if kept is None or old is None:
        plan.writes.append(new_entry(entry))
    elif old.state != "imported" or old.source != entry.source:
        plan.skipped.append(f"{name}: published or decided on here already")
        return
    elif (old.content, old.state) == (entry.content, entry.state):
        return
    else:
        entry = msgspec.structs.replace(entry, published_at=old.published_at)
        plan.writes.append(changed_entry(kept.content, entry))
    plan.fresh.append(entry)


def _entry(control: Control, ask: Ask, found: Imported, server: dict[str, Any], reason: str) -> CatalogEntry:
    now = control.now_us()
    state: State = "imported"
    if (server["name"], server["version"]) in found.deprecated:
        state = "deprecated"
    return CatalogEntry(
        kind="server",
        name=server["name"],
        version=server["version"],
        content=server,
        state=state,
        source=found.source,
        by=ask.caller.actor,
        reason=reason,
        published_at=now,
        updated_at=now,
    )


def _named(entry: CatalogEntry) -> dict[str, Any]:
    return {"name": entry.name, "version": entry.version}


async def _there(control: Control) -> _There:
    found: _There = {}
    for kept in await control.store.kept_entries("server"):
        entry = kept.record
        assert isinstance(entry, CatalogEntry)
        found[entry.name, entry.version] = kept, entry
    return found
