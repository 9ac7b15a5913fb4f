"""Versions in the catalog, declared: what was published stays as it is, and only its state changes. The
object's name is `<name>@<version>`.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from api_gateway.admin import Ask, published
from api_gateway.control import Control
from api_gateway.declared.kind import Held, Step, holding
from shared.catalog_entries import CatalogEntry, State
from shared.catalog_entries import Kind as EntryKind
from shared.errors import BadRequest
from shared.store import Write
from shared.store.objects import changed_entry, new_entry, removed_entry

_NEVER_VOUCHED_FOR = ("imported", "quarantined")


class EntrySpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of every version. `source` is the registry that an imported one came from."""

    owner: str = ""
    labels: tuple[str, ...] = ()
    state: State = "active"
    source: str = ""


S = TypeVar("S", bound=EntrySpec)


class Entries(Generic[S]):
    """One kind of the catalog. `content` is what is published of a spec, and raises BadRequest where it does
    not fit its name; `spec` is the way back.
    """

    area, snapshots, alone = published.AREA, ("catalog",), False

    def __init__(
        self,
        name: EntryKind,
        kind: type[S],
        content: Callable[[str, str, S], dict[str, Any]],
        spec: Callable[[CatalogEntry], S],
    ) -> None:
        self.name: EntryKind = name
        self._kind = kind
        self._content = content
        self._spec = spec

    async def held(self, control: Control, ask: Ask) -> list[Held]:
        """Nothing for an operator of one tenant: the catalog is everybody's."""
        found = []
        for kept in await control.store.kept_entries(self.name) if ask.all_tenants else ():
            entry = kept.record
            assert isinstance(entry, CatalogEntry)
            if entry.removed:
                continue
            found.append(holding(f"{entry.name}@{entry.version}", self._spec(entry), kept.content))
        return found

    async def put(
        self, control: Control, ask: Ask, name: str, spec: Struct, held: Held | None, reason: str
    ) -> Step:
        assert isinstance(spec, self._kind)
        title, at, version = name.rpartition("@")
        if not at:
            raise BadRequest(f"name: {name[:80]!r} is not <name>@<version>")
        published.allowed(control, ask, self.name, title)
        stamp: dict[str, Any] = {"by": ask.caller.actor, "reason": reason, "updated_at": control.now_us()}
        if held is not None:
            return Step(writes=(changed_entry(held.content, self._changed(held, spec, stamp)),))
        if (spec.state == "imported") != bool(spec.source):
            raise BadRequest("source: what is imported has one, and nothing else")
        entry = CatalogEntry(
            kind=self.name,
            name=title,
            version=version,
            content=self._content(title, version, spec),
            owner=spec.owner,
            labels=spec.labels,
            state=spec.state,
            source=spec.source,
            published_at=stamp["updated_at"],
            **stamp,
        )
        published.check(entry)
        return Step(writes=(new_entry(await published.looked_at(entry)),))

    async def remove(self, control: Control, ask: Ask, held: Held) -> Step:
        published.allowed(control, ask, self.name, held.name.rpartition("@")[0])
        entry = msgspec.json.decode(held.content, type=CatalogEntry)
        if entry.state in _NEVER_VOUCHED_FOR:
            return Step(writes=(removed_entry(held.content, entry),))
        # Somebody may rely on what this version was: it never comes to be something else.
        stamp: dict[str, Any] = {"by": ask.caller.actor, "updated_at": control.now_us()}
        gone = msgspec.structs.replace(entry, content={}, state="deleted", findings=(), **stamp)
        return Step(writes=(changed_entry(held.content, gone),))

    async def check(self, control: Control, writes: Sequence[Write]) -> None:
        """Raises BadRequest where the catalog would become too large."""
        made = [write.after["record"] for write in writes if write.seen is None and write.after is not None]
        fresh = [msgspec.json.decode(one, type=CatalogEntry) for one in made if isinstance(one, bytes)]
        await published.room(control, fresh)

    def _changed(self, held: Held, spec: S, stamp: dict[str, Any]) -> CatalogEntry:
        old = msgspec.json.decode(held.content, type=CatalogEntry)
        if msgspec.structs.replace(spec, state=old.state) != self._spec(old):
            raise BadRequest("what was published stays as it is, but for its state: declare another version")
        if spec.state != old.state and old.findings:
            # Files are applied by machines; what seems to hide something is released by somebody who looks.
            raise BadRequest(f"state: {', '.join(old.findings)}: look at it in `gatestack catalog`")
        if spec.state == "imported" and not old.source:
            raise BadRequest("state: it was published here, not imported")
        return msgspec.structs.replace(old, state=spec.state, **stamp)
