"""The ledger as both databases read it: one chain, entries, spend, and a writer's rows for verification."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence

from shared.ledger.row import Row, SealedRow, opened
from shared.store import chains, spend
from shared.store.columns import COLUMNS, CUBE, LEDGER, MEASURES, SPANS, Record, fitted
from shared.store.control import Control, as_bytes, as_int, scoped
from shared.store.flavor import Bound, matches
from shared.store.objects import Objects
from shared.store.query import ChainFilter, ChainLine, EntryFilter, SpendLine, SpendQuery
from shared.store.record import KeptCheckpoint, KeptRow

_PAGE = 1000
_WHO = ("principal", "actor")


class Relational(Control, Objects):
    """A Store on SQL: the ledger's half."""

    @abstractmethod
    async def append(self, rows: Sequence[SealedRow]) -> int: ...

    @abstractmethod
    async def close(self) -> None: ...

    async def chain(self, chain: str, tenant: str | None) -> list[Row]:
        bound = Bound()
        where = scoped(f"checkpoint = 0 AND chain = {bound(fitted(chain))}", tenant, bound)
        found = await self._ask(
            f"SELECT body FROM ledger WHERE {where} ORDER BY started_at, id", bound.values
        )
        return [_row(record) for record in found]

    async def entries(self, wanted: EntryFilter) -> list[Row]:
        bound = Bound()
        where = scoped(f"checkpoint = 0 AND started_at >= {bound(wanted.since_us)}", wanted.tenant, bound)
        if wanted.until_us is not None:
            where += f" AND started_at < {bound(wanted.until_us)}"
        if wanted.decided:
            where += " AND decision <> ''"
        if wanted.below is not None:
            at, identity = wanted.below
            where += f" AND (started_at, id) < ({bound(at)}, {bound(fitted(identity))})"
        for name in ("chain", "key", "service", "outcome", "resource", "model", "tool"):
            text: str = getattr(wanted, name)
            if text:
                where += f" AND {matches(name, text, self.flavor, bound)}"
        order = f"ORDER BY started_at DESC, id DESC LIMIT {bound(wanted.limit)}"
        source = f"ledger WHERE {where}"
        if wanted.who:
            # Two walks along an index that stop at the limit; one condition with OR would sort every match.
            who = bound(fitted(wanted.who))
            walks = (
                f"(SELECT * FROM ledger WHERE {where} AND {name} = {who} {order}) AS {name}s" for name in _WHO
            )
            source = (
                f"({' UNION '.join(f'SELECT id, started_at, body FROM {walk}' for walk in walks)}) AS found"
            )
        found = await self._ask(f"SELECT body FROM {source} {order}", bound.values)
        return [_row(record) for record in found]

    async def spend(self, query: SpendQuery) -> list[SpendLine]:
        sql, values = spend.statement(query, self.flavor)
        return spend.lines(query, await self._ask(sql, values))

    async def chains(self, wanted: ChainFilter) -> list[ChainLine]:
        sql, values = chains.statement(wanted, self.flavor)
        return [chains.line(record) for record in await self._ask(sql, values)]

    async def writers(self) -> list[str]:
        found = await self._ask("SELECT writer FROM ledger UNION SELECT writer FROM checkpoints ORDER BY 1")
        return [str(record[0]) for record in found]

    async def rows(self, writer: str) -> AsyncIterator[KeptRow]:
        """The writer's rows as they are kept, by sequence number; in pages, so that nothing waits for a
        reader."""
        seq, identity = -(2**63), ""
        sql = (
            f"SELECT {', '.join(LEDGER)} FROM ledger WHERE writer = $1"
            f" AND (seq > $2 OR (seq = $2 AND id > $3)) ORDER BY seq, id LIMIT {_PAGE}"
        )
        while page := await self._ask(sql, (writer, seq, identity)):
            for record in page:
                kept = _kept(record)
                yield kept
                seq, identity = kept.seq, str(record[0])

    async def checkpoints(self, writer: str) -> list[KeptCheckpoint]:
        found = await self._ask("SELECT id, writer, token FROM checkpoints WHERE writer = $1", (writer,))
        return [KeptCheckpoint(*map(str, record)) for record in found]

    async def rollup_gap(self) -> str:
        """Where the rollups disagree with the rows they were made from; "" when they agree everywhere."""
        sums = ", ".join(f"CAST(sum({name}) AS BIGINT)" for name in MEASURES[1:])
        cube = ", ".join(CUBE)
        for span in SPANS:
            kept = f"SELECT start, {cube}, {', '.join(MEASURES)} FROM spend WHERE span = {span}"
            start = f"started_at - started_at % {span}"
            true = f"SELECT {start}, {cube}, count(*), {sums} FROM ledger WHERE spent = 1 GROUP BY 1, {cube}"
            # One statement is one snapshot: rows that arrive meanwhile cannot look like a difference.
            both = f"({kept} EXCEPT {true}) AS a UNION ALL SELECT * FROM ({true} EXCEPT {kept}) AS b"
            for record in await self._ask(f"SELECT * FROM {both} LIMIT 1"):
                values = zip(("start", *CUBE), record[: len(CUBE) + 1], strict=True)
                return ", ".join(f"{name} {value}" for name, value in values if value != "")
        return ""


def _row(record: Record) -> Row:
    return opened(as_bytes(record[0]))


def _kept(record: Record) -> KeptRow:
    *columns, digest, body = record
    return KeptRow(as_int(columns[COLUMNS.index("seq")]), as_bytes(body), as_bytes(digest), tuple(columns))
