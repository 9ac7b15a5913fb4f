"""What servers and skills have in common here: versions that are published once, and change in nothing but
their state.

Besides `admin:catalog`, policy is asked for `admin:catalog/<kind>/<name>`: who may publish does not thereby
publish under everybody's names.
"""

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from api_gateway.admin import Answer, Ask, Call, Page
from api_gateway.admin.conditional import Changed, MustSay, etag
from api_gateway.admin.listing import Listed
from api_gateway.control import Control
from shared.approvals import visible
from shared.catalog_entries import LATEST, VERSION, CatalogEntry, Kind
from shared.errors import BadRequest, Forbidden, NotFound
from shared.hidden_instructions.scan import scanned
from shared.policy import authorize
from shared.store import Kept, Unmet, Write
from shared.store.objects import changed_entry, new_entry

AREA = "catalog"
# All of it is read by every tool gateway at every change.
_MOST, _MOST_BYTES = 5_000, 8 * 2**20
_LONGEST = 65_536
# Deeper ones could not be written as YAML.
_DEEPEST = 32
_SHORT, _MOST_NOTED = 200, 50


class NewState(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`version` of `name` is in this state from now on. `deleted` is not forever."""

    name: Annotated[str, Meta(max_length=_SHORT)]
    version: Annotated[str, Meta(max_length=_SHORT)]
    state: Literal["active", "deprecated", "deleted"]


class KeptEntry(CatalogEntry, frozen=True, kw_only=True):
    """A version as it is kept, with the `etag` that a change of its state sends back."""

    etag: str


class Exists(BadRequest):
    """What was published stays as it is."""

    status = 409


async def listing(control: Control, ask: Ask, kind: Kind) -> list[dict[str, Any]]:
    """Every version, as it is kept."""
    everywhere(ask)
    return [
        msgspec.to_builtins(kept.record) | {"etag": etag(kept.content)}
        for kept in await control.store.kept_entries(kind)
        if isinstance(kept.record, CatalogEntry) and not kept.record.removed
    ]


async def publish(control: Control, ask: Ask, entry: CatalogEntry) -> dict[str, Any]:
    """The entry as it is kept, in quarantine if it seems to hide something. Raises BadRequest, Forbidden,
    Exists.
    """
    note(ask, [entry])
    allowed(control, ask, entry.kind, entry.name)
    check(entry)
    entry = await looked_at(msgspec.structs.replace(entry, reason=reason_of(ask)))
    await room(control, [entry])
    try:
        await write(control, [new_entry(entry)])
    except Unmet as error:
        text = f"{entry.name} {entry.version} is published already: give it another version"
        raise Exists(text, cause=error) from error
    return _told(entry)


async def state(control: Control, ask: Ask, kind: Kind) -> Answer:
    """Raises BadRequest, Forbidden, NotFound, MustSay, Changed."""
    everywhere(ask)
    wanted, why = ask.read(NewState), reason_of(ask)
    allowed(control, ask, kind, wanted.name)
    kept, old = await _find(control, kind, wanted)
    _check_seen(ask, kept, old)
    if not why:
        raise BadRequest("reason: say why, as ?reason=…; it is kept for good, and readers are told")
    stamp = {"by": ask.caller.actor, "reason": why, "updated_at": control.now_us()}
    new = msgspec.structs.replace(old, state=wanted.state, **stamp)
    note(ask, [new], f" {old.state}->{new.state}")
    try:
        await write(control, [changed_entry(kept.content, new)])
    except Unmet as error:
        raise Changed(f"{new.name} {new.version} has been changed meanwhile: look at it again") from error
    return 200, _told(new)


async def write(control: Control, writes: list[Write]) -> None:
    """All of it or, raising Unmet, nothing; and tells the services."""
    await control.write(writes, ["catalog"])
    await control.publish(["catalog"])


async def room(control: Control, fresh: list[CatalogEntry]) -> None:
    """Raises BadRequest where the catalog would become too large to be handed around."""
    held = [msgspec.json.encode(entry) for entry in (*await control.store.catalog_entries(), *fresh)]
    if len(held) > _MOST:
        raise BadRequest(f"the catalog holds at most {_MOST} versions")
    if sum(map(len, held)) > _MOST_BYTES:
        raise BadRequest(f"the catalog holds at most {_MOST_BYTES} bytes")


def pages(path: str, member: str, calls: tuple[Call, Call, Call], body: Any) -> tuple[Page, ...]:
    """What is there, publishing a version, and changing a version's state."""
    listing, publish, state = calls
    listed = Listed(
        member=member,
        key=("name", "version"),
        filters=("name", "owner", "labels", "state", "source"),
        item=KeptEntry,
    )
    return (
        Page(method="GET", path=path, area=AREA, action="read", call=listing, lists=listed),
        Page(method="POST", path=path, area=AREA, action="manage", call=publish, body=body),
        Page(
            method="POST",
            path=path + "/state",
            area=AREA,
            action="manage",
            call=state,
            body=NewState,
            conditional=True,
        ),
    )


def check(entry: CatalogEntry) -> None:
    """Raises BadRequest."""
    if entry.version == LATEST or not VERSION.fullmatch(entry.version):
        raise BadRequest(f"version: {entry.version[:_SHORT]!r} is no version, like 1.2.0")
    if len(msgspec.json.encode(entry)) > _LONGEST:
        raise BadRequest(f"a version can be described in {_LONGEST} bytes")
    if _deeper(entry.content, _DEEPEST):
        raise BadRequest(f"a version can be described in {_DEEPEST} levels, one in another")


def _deeper(content: object, levels: int) -> bool:
    """Whether there is more in each other than so many levels."""
    here = [content]
    for _ in range(levels):
        lists = [
            one.values() if isinstance(one, dict) else one for one in here if isinstance(one, dict | list)
        ]
        here = [below for each in lists for below in each]
    return any(isinstance(one, dict | list) for one in here)


async def looked_at(entry: CatalogEntry) -> CatalogEntry:
    """In quarantine where something seems to be hidden in it. Raises BadRequest."""
    try:
        # A long text takes a tenth of a second, and others' calls go through this process.
        written = msgspec.json.encode((entry.content, entry.owner, entry.labels))
        found = await asyncio.to_thread(scanned, written)
    except (RecursionError, msgspec.DecodeError) as error:
        raise BadRequest("it is nested too deep to be read", cause=error) from error
    return msgspec.structs.replace(entry, state="quarantined", findings=found) if found else entry


def allowed(control: Control, ask: Ask, kind: Kind, name: str) -> None:
    """Raises Forbidden."""
    everywhere(ask)
    grant = authorize(control.policy.current, ask.caller, f"admin:{AREA}/{kind}/{name}", "manage")
    if grant.decision.approval:
        # Nobody is asked in the middle of a change, and nothing is done without them.
        raise Forbidden(f"this needs a person's consent: let policy ask for it for admin:{AREA}, as a whole")


def everywhere(ask: Ask) -> None:
    if not ask.all_tenants:
        raise Forbidden("the catalog serves all tenants: operators of the whole stack look after it")


def note(ask: Ask, entries: Sequence[CatalogEntry], change: str = "") -> None:
    """What the ledger keeps, besides who and why: what became of which versions, and the digest of all of
    them.
    """
    noted = tuple(
        f"catalog:{entry.kind}/{visible(entry.name[:_SHORT])}@{visible(entry.version[:_SHORT])}{change}"
        for entry in entries[:_MOST_NOTED]
    )
    more = len(entries) - len(noted)
    ask.entry.findings += (*noted, f"catalog:and {more} more") if more else noted
    ask.entry.digest = sha256(msgspec.json.encode([entry.content for entry in entries])).hexdigest()


def reason_of(ask: Ask) -> str:
    return ask.query.get("reason", "").strip()


async def _find(control: Control, kind: Kind, wanted: NewState) -> tuple[Kept, CatalogEntry]:
    for kept in await control.store.kept_entries(kind):
        entry = kept.record
        assert isinstance(entry, CatalogEntry)
        if (entry.name, entry.version) == (wanted.name, wanted.version) and not entry.removed:
            return kept, entry
    raise NotFound(f"no {kind} {wanted.name[:_SHORT]} {wanted.version[:_SHORT]} is published")


def _check_seen(ask: Ask, kept: Kept, entry: CatalogEntry) -> None:
    seen = ask.if_match.strip()
    if seen and seen not in ("*", etag(kept.content)):
        raise Changed(f"{entry.name} {entry.version} is not what you have seen any more: look at it again")
    if seen in ("", "*") and entry.findings:
        raise MustSay(f"{', '.join(entry.findings)}: look at it, and send if-match with its etag")


def _told(entry: CatalogEntry) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(entry)
    return told | {"etag": etag(msgspec.json.encode(entry))}
