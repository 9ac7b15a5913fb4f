"""Changes of many records in one transaction, each made only if its record still is what its author has seen;
and the marks of what was made from files.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from shared.agents import AgentRecord
from shared.catalog_entries import CatalogEntry, Kind
from shared.identity.keys import KeyRecord
from shared.kill import Kill
from shared.service_accounts import ServiceAccount
from shared.store.columns import Record, fitted

Statement = tuple[str, Sequence[object]]
KeptRecord = KeyRecord | AgentRecord | Kill | CatalogEntry | ServiceAccount


class Unmet(Exception):
    """The change with this number (from 0) found something else than its author has seen; none was made."""

    def __init__(self, number: int) -> None:
        super().__init__(f"change {number} found something else")
        self.number = number


class Write(Struct, frozen=True, kw_only=True):
    """One change. `seen` is what the record's columns have to hold still (None: there must be no record),
    `after` what they shall hold (None: the record goes). One that need not `find` anything may do nothing.
    """

    table: Literal["keys", "agents", "kills", "catalog", "service_accounts", "marks"]
    key: dict[str, object]
    seen: dict[str, object] | None = None
    after: dict[str, object] | None = None
    find: bool = True

    def statement(self) -> Statement:
        """SQL that returns a row exactly if it has changed one, and its values."""
        if self.seen is None and self.after is not None:
            return self._insert(self.key | self.after)
        where, held = _named(self.key | (self.seen or {}), 1, " AND ")
        if self.after is None:
            return f"DELETE FROM {self.table} WHERE {where} RETURNING 1", held
        to, values = _named(self.after, len(held) + 1, ", ")
        return f"UPDATE {self.table} SET {to} WHERE {where} RETURNING 1", [*held, *values]

    def _insert(self, columns: dict[str, object]) -> Statement:
        marks = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
        into = f"INSERT INTO {self.table} ({', '.join(columns)}) VALUES ({marks})"
        return f"{into} ON CONFLICT DO NOTHING RETURNING 1", list(columns.values())


class Kept(Struct, frozen=True):
    """A record, and the very bytes that are kept of it: what a change of it has seen."""

    record: KeptRecord
    content: bytes


def new_key(key: KeyRecord) -> Write:
    after = {"hash": key.hash, "tenant": fitted(key.tenant), "created_at": key.created_at}
    after |= {"revoked_at": 0, "used_at": 0, "record": msgspec.json.encode(key)}
    return Write(table="keys", key={"id": key.id}, after=after)


def changed_key(kept: bytes, key: KeyRecord) -> Write:
    """Of a key that has not been revoked meanwhile."""
    after: dict[str, object] = {"record": msgspec.json.encode(key)}
    return Write(table="keys", key={"id": key.id}, seen={"record": kept, "revoked_at": 0}, after=after)


def rotated_key(kept: bytes, key: KeyRecord) -> Write:
    """Like `changed_key`, of a record that has another secret."""
    after: dict[str, object] = {"hash": key.hash, "record": msgspec.json.encode(key)}
    return Write(table="keys", key={"id": key.id}, seen={"record": kept, "revoked_at": 0}, after=after)


def revoked_key(kept: bytes, identity: str, at: int) -> Write:
    seen: dict[str, object] = {"record": kept, "revoked_at": 0}
    return Write(table="keys", key={"id": identity}, seen=seen, after={"revoked_at": at})


def new_agent(agent: AgentRecord) -> Write:
    return Write(table="agents", key={"name": agent.name}, after=_agent(agent))


def changed_agent(kept: bytes, agent: AgentRecord) -> Write:
    return Write(table="agents", key={"name": agent.name}, seen={"record": kept}, after=_agent(agent))


def removed_agent(kept: bytes, name: str) -> Write:
    return Write(table="agents", key={"name": name}, seen={"record": kept})


def new_kill(kill: Kill) -> Write:
    after = {"at": kill.at, "lifted_at": 0, "lifted_by": "", "record": msgspec.json.encode(kill)}
    return Write(table="kills", key={"id": kill.id}, after=after)


def changed_kill(kept: bytes, kill: Kill) -> Write:
    """Of a kill that has not been lifted meanwhile."""
    after: dict[str, object] = {"record": msgspec.json.encode(kill)}
    return Write(table="kills", key={"id": kill.id}, seen={"record": kept, "lifted_at": 0}, after=after)


def lifted_kill(kept: bytes, identity: str, at: int, by: str) -> Write:
    seen: dict[str, object] = {"record": kept, "lifted_at": 0}
    return Write(table="kills", key={"id": identity}, seen=seen, after={"lifted_at": at, "lifted_by": by})


def new_entry(entry: CatalogEntry) -> Write:
    return Write(table="catalog", key=_entry(entry), after={"record": msgspec.json.encode(entry)})


def changed_entry(kept: bytes, entry: CatalogEntry) -> Write:
    after: dict[str, object] = {"record": msgspec.json.encode(entry)}
    return Write(table="catalog", key=_entry(entry), seen={"record": kept}, after=after)


def removed_entry(kept: bytes, entry: CatalogEntry) -> Write:
    return Write(table="catalog", key=_entry(entry), seen={"record": kept})


def new_account(account: ServiceAccount) -> Write:
    after: dict[str, object] = {"record": msgspec.json.encode(account)}
    return Write(table="service_accounts", key=_account(account), after=after)


def changed_account(kept: bytes, account: ServiceAccount) -> Write:
    after: dict[str, object] = {"record": msgspec.json.encode(account)}
    return Write(table="service_accounts", key=_account(account), seen={"record": kept}, after=after)


def removed_account(kept: bytes, account: ServiceAccount) -> Write:
    return Write(table="service_accounts", key=_account(account), seen={"record": kept})


def mark(kind: str, name: str, owner: str) -> Write:
    return Write(table="marks", key={"kind": kind, "name": name}, after={"owner": owner}, find=False)


def unmark(kind: str, name: str) -> Write:
    return Write(table="marks", key={"kind": kind, "name": name}, find=False)


class Objects(ABC):
    """A Store on SQL: what is read and written as files say."""

    @abstractmethod
    async def _ask(self, sql: str, values: Sequence[object] = ()) -> list[Record]: ...

    @abstractmethod
    async def _tell_all(self, statements: Sequence[tuple[Statement, bool]]) -> None:
        """All in one transaction. Raises Unmet at the first that must return a row and returns none."""

    async def write(self, writes: Sequence[Write]) -> None:
        """Makes all of these changes or, raising Unmet, none of them."""
        await self._tell_all([(write.statement(), write.find) for write in writes])

    async def kept_keys(self) -> list[Kept]:
        """Those that were not revoked."""
        found = await self._ask("SELECT record FROM keys WHERE revoked_at = 0 ORDER BY id")
        return [_kept(record, KeyRecord) for record in found]

    async def kept_agents(self) -> list[Kept]:
        return [_kept(record, AgentRecord) for record in await self._ask("SELECT record FROM agents")]

    async def kept_kills(self) -> list[Kept]:
        """Those in force."""
        found = await self._ask("SELECT record FROM kills WHERE lifted_at = 0 ORDER BY id")
        return [_kept(record, Kill) for record in found]

    async def kept_entries(self, kind: Kind) -> list[Kept]:
        sql = "SELECT record FROM catalog WHERE kind = $1 ORDER BY name, version"
        return [_kept(record, CatalogEntry) for record in await self._ask(sql, (kind,))]

    async def kept_accounts(self) -> list[Kept]:
        found = await self._ask("SELECT record FROM service_accounts ORDER BY name")
        return [_kept(record, ServiceAccount) for record in found]

    async def marks(self) -> dict[tuple[str, str], str]:
        """Whose files each kind and name was made from; what was made otherwise is not in it."""
        found = await self._ask("SELECT kind, name, owner FROM marks")
        return {(str(kind), str(name)): str(owner) for kind, name, owner in found}


def _agent(agent: AgentRecord) -> dict[str, object]:
    return {"tenant": fitted(agent.tenant), "at": agent.at, "record": msgspec.json.encode(agent)}


def _entry(entry: CatalogEntry) -> dict[str, object]:
    return {"kind": entry.kind, "name": fitted(entry.name), "version": fitted(entry.version)}


def _account(account: ServiceAccount) -> dict[str, object]:
    # A service's name has no slash in it, whatever its tenant's has.
    return {"name": fitted(f"{account.tenant}/{account.name}")}


def _kept(record: Record, kind: type[KeptRecord]) -> Kept:
    content = record[0]
    assert isinstance(content, bytes)
    return Kept(msgspec.json.decode(content, type=kind), content)


def _named(columns: dict[str, object], first: int, between: str) -> tuple[str, list[object]]:
    """`a = $1 AND b = $2` and the values."""
    named = (f"{name} = ${number}" for number, name in enumerate(columns, start=first))
    return between.join(named), list(columns.values())
