"""What servers and skills have in common here: versions that are published once, and change in nothing but
their state.
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from api_gateway.admin import Answer, Ask
from api_gateway.control import Control
from shared.approvals import visible
from shared.catalog_entries import LATEST, VERSION, CatalogEntry, Kind
from shared.errors import BadRequest, Forbidden, NotFound

AREA = "catalog"
# All of it is read by every tool gateway at every change.
_MOST = 5_000
_LONGEST = 65_536
_SHORT = 200


class NewState(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`version` of `name` is in this state from now on. `deleted` is not forever."""

    name: str
    version: str
    state: Literal["active", "deprecated", "deleted"]


class Exists(BadRequest):
    """What was published stays as it is."""

    status = 409


async def listing(control: Control, ask: Ask, kind: Kind) -> list[dict[str, Any]]:
    """Every version, as it is kept."""
    everywhere(ask)
    return [msgspec.to_builtins(entry) for entry in await entries(control, kind)]


async def entries(control: Control, kind: Kind) -> list[CatalogEntry]:
    return [entry for entry in await control.store.catalog_entries() if entry.kind == kind]


async def publish(control: Control, ask: Ask, entry: CatalogEntry) -> None:
    """Raises BadRequest, Exists."""
    check(entry)
    note(ask, entry.name, entry.version)
    await room(control, 1)
    if not await control.add_catalog_entry(entry):
        raise Exists(f"{entry.name} {entry.version} is published already: give it another version")


async def state(control: Control, ask: Ask, kind: Kind) -> Answer:
    everywhere(ask)
    wanted = ask.read(NewState)
    note(ask, wanted.name, wanted.version)
    for entry in await entries(control, kind):
        if (entry.name, entry.version) == (wanted.name, wanted.version):
            changed = msgspec.structs.replace(
                entry, state=wanted.state, by=ask.caller.actor, updated_at=control.now_us()
            )
            await control.put_catalog_entries([changed])
            return 200, msgspec.to_builtins(changed)
    raise NotFound(f"no {kind} {wanted.name[:_SHORT]} {wanted.version[:_SHORT]} is published")


async def room(control: Control, wanted: int) -> None:
    """Raises BadRequest where the catalog would become too large to be handed around."""
    if len(await control.store.catalog_entries()) + wanted > _MOST:
        raise BadRequest(f"the catalog holds at most {_MOST} versions")


def check(entry: CatalogEntry) -> None:
    """Raises BadRequest."""
    if entry.version == LATEST or not VERSION.fullmatch(entry.version):
        raise BadRequest(f"version: {entry.version[:_SHORT]!r} is no version, like 1.2.0")
    if len(msgspec.json.encode(entry)) > _LONGEST:
        raise BadRequest(f"a version can be described in {_LONGEST} bytes")


def everywhere(ask: Ask) -> None:
    if not ask.all_tenants:
        raise Forbidden("the catalog serves all tenants: operators of the whole stack look after it")


def note(ask: Ask, name: str, version: str) -> None:
    ask.entry.findings += (f"catalog:{visible(name[:_SHORT])}@{visible(version[:_SHORT])}",)
