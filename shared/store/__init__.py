"""The store: what is kept for good, behind one Protocol with two implementations. The only door to SQL.

Only the control plane and the ledger's drain open it. Every method raises Unavailable while the database is
gone.
"""

from collections.abc import AsyncIterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from shared.agents import AgentRecord
from shared.catalog_entries import CatalogEntry, Kind
from shared.errors import BadRequest
from shared.identity.keys import KeyRecord
from shared.kill import Kill
from shared.ledger.row import Row, SealedRow
from shared.store.objects import Kept, Unmet, Write
from shared.store.query import DIMENSIONS, ChainFilter, ChainLine, EntryFilter, SpendLine, SpendQuery
from shared.store.record import KeptCheckpoint, KeptRow, PolicyVersion, SigningKey
from shared.store.sqlite import SqliteStore

__all__ = [
    "DIMENSIONS",
    "ChainFilter",
    "ChainLine",
    "EntryFilter",
    "Kept",
    "KeptCheckpoint",
    "KeptRow",
    "PolicyVersion",
    "SigningKey",
    "SpendLine",
    "SpendQuery",
    "Store",
    "Unmet",
    "Write",
    "open_store",
]


class Store(Protocol):
    """Reads that belong to a tenant take it as a parameter without a default; None means every tenant."""

    async def append(self, rows: Sequence[SealedRow]) -> int:
        """Keeps the rows that are not there yet, in one transaction with their rollups; how many were new."""
        ...

    async def chain(self, chain: str, tenant: str | None) -> list[Row]: ...

    async def entries(self, wanted: EntryFilter) -> list[Row]: ...

    async def chains(self, wanted: ChainFilter) -> list[ChainLine]: ...

    async def spend(self, query: SpendQuery) -> list[SpendLine]: ...

    async def writers(self) -> list[str]: ...

    def rows(self, writer: str, after: int | None = None) -> AsyncIterator[KeptRow]: ...

    async def stretch(self, writer: str, since: int, until: int) -> tuple[int, int] | None: ...

    async def checkpoints(self, writer: str) -> list[KeptCheckpoint]: ...

    async def rollup_gap(self) -> str: ...

    async def add_key(self, key: KeyRecord) -> bool: ...

    async def keys(self, tenant: str | None) -> list[KeyRecord]: ...

    async def revoke_key(self, identity: str, at: int) -> bool: ...

    async def touch_key(self, identity: str, at: int) -> None: ...

    async def keys_used(self, tenant: str | None) -> dict[str, int]: ...

    async def add_kill(self, kill: Kill) -> bool: ...

    async def kills(self) -> list[Kill]: ...

    async def lift_kill(self, identity: str, at: int, by: str = "") -> bool: ...

    async def add_policy(self, policy: PolicyVersion) -> bool: ...

    async def policies(self) -> list[PolicyVersion]: ...

    async def policy(self, number: int) -> PolicyVersion | None: ...

    async def latest_policy(self, author: str = "") -> PolicyVersion | None: ...

    async def put_agent(self, agent: AgentRecord) -> bool: ...

    async def agents(self, tenant: str | None) -> list[AgentRecord]: ...

    async def remove_agent(self, name: str, tenant: str | None) -> bool: ...

    async def catalog_entries(self) -> list[CatalogEntry]: ...

    async def write(self, writes: Sequence[Write]) -> None:
        """All of these changes or, raising Unmet, none of them."""
        ...

    async def kept_keys(self) -> list[Kept]: ...

    async def kept_agents(self) -> list[Kept]: ...

    async def kept_kills(self) -> list[Kept]: ...

    async def kept_accounts(self) -> list[Kept]: ...

    async def kept_entries(self, kind: Kind) -> list[Kept]: ...

    async def marks(self) -> dict[tuple[str, str], str]: ...

    async def add_signing_key(self, key: SigningKey) -> bool: ...

    async def signing_keys(self) -> list[SigningKey]: ...

    async def close(self) -> None: ...


def open_store(url: str) -> Store:
    """The store at `sqlite:///absolute/path.db` or `postgresql://…`. It connects when it is first used, so
    that a process can start while its database is down. Raises BadRequest on any other URL."""
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        path = Path(unquote(urlsplit(url).path))
        if not path.is_absolute() or path == Path("/") or urlsplit(url).netloc:
            raise BadRequest("a SQLite URL names an absolute file: sqlite:///var/lib/gatestack/gatestack.db")
        return SqliteStore(path)
    if scheme in ("postgresql", "postgres"):
        # Its import costs more than the whole rest of the store: only who uses it pays.
        store: Store = import_module("shared.store.postgres").PostgresStore(url)
        return store
    raise BadRequest(f"no store for {scheme or url!r} URLs: use sqlite:///absolute/path.db or postgresql://…")
