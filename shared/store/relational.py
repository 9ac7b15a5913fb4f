"""The ledger as both databases read it: one chain, entries, spend, and a writer's rows for verification."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence

from shared.ledger.row import Row, SealedRow, opened
from shared.store import chains, spend
from shared.store.columns import COLUMNS, HOUR_US, LEDGER, MEASURES, Record, fitted
from shared.store.control import Control, as_bytes, as_int, scoped
from shared.store.cubes import CUBES, WIDE, Cube
from shared.store.flavor import Bound, Flavor, matches
from shared.store.objects import Objects
from shared.store.query import ChainFilter, ChainLine, EntryFilter, SpendLine, SpendQuery
from shared.store.record import KeptCheckpoint, KeptRow
from shared.store.spans import MONTH_US, SPANS

_PAGE = 1000
_SEQ = COLUMNS.index("seq")
_WHO = ("principal", "actor")


class Relational(Control, Objects):
    """A Store on SQL: the ledger's half."""

    @abstractmethod
    async def append(self, rows: Sequence[SealedRow]) -> int: ...

    @abstractmethod
    async def _ask_patiently(self, sql: str, values: Sequence[object] = ()) -> list[Record]:
        """As `_ask`, where the whole ledger may have to be read."""

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

    async def rows(self, writer: str, after: int | None = None) -> AsyncIterator[KeptRow]:
        """The writer's rows as they are kept, by sequence number, those behind `after` or all; in pages, so
        that nothing waits for a reader."""
        seq, identity = -(2**63) if after is None else after + 1, ""
        sql = (
            f"SELECT {', '.join(LEDGER)} FROM ledger WHERE writer = $1"
            f" AND (seq > $2 OR (seq = $2 AND id > $3)) ORDER BY seq, id LIMIT {_PAGE}"
        )
        while page := await self._ask(sql, (writer, seq, identity)):
            for record in page:
                kept = _kept(record)
                yield kept
                seq, identity = kept.seq, str(record[0])

    async def stretch(self, writer: str, since: int, until: int) -> tuple[int, int] | None:
        """The first and the last sequence number of the writer's rows that began in the period, and on to the
        next checkpoint; None where none did."""
        place = "SELECT seq FROM ledger WHERE writer = $1 AND started_at >= $2 AND started_at < $3"
        ends = f"SELECT min(seq), max(seq) FROM ({place}) AS place"
        [(first, last)] = await self._ask_patiently(ends, (writer, since, until))
        if first is None:
            return None
        signed = "SELECT min(seq) FROM ledger WHERE writer = $1 AND seq >= $2 AND checkpoint = 1"
        [(behind,)] = await self._ask(signed, (writer, last))
        return as_int(first), as_int(last if behind is None else behind)

    async def checkpoints(self, writer: str) -> list[KeptCheckpoint]:
        found = await self._ask("SELECT id, writer, token FROM checkpoints WHERE writer = $1", (writer,))
        return [KeptCheckpoint(*map(str, record)) for record in found]

    async def rollup_gap(self) -> str:
        """Where the rollups disagree with the rows they were made from; "" when they agree everywhere."""
        for cube in reversed(CUBES):
            for span in SPANS:
                for record in await self._ask_patiently(_difference(cube, span, self.flavor)):
                    values = zip(("start", *cube.dimensions), record, strict=False)
                    return ", ".join(f"{name} {value}" for name, value in values if value != "")
        return ""


def _difference(cube: Cube, span: int, flavor: Flavor) -> str:
    """A line of `cube` that is not what it should be. Each is held against what is next to it, up to the rows
    themselves: months against days, days against hours, the hours of the wide cube against the rows and those
    of the others against the wide one's.
    """
    names = ", ".join(cube.dimensions)
    # A database may know no months of a far future: it then has one of all of them.
    own, at = "start", f"start - start % {span}"
    if span == MONTH_US:
        own = at = flavor.month_start
    sums = ", ".join(MEASURES)
    ours = f"SELECT {own} AS start, {names}, {sums}, 1 AS side FROM {cube.table} WHERE span = {span}"
    minus = ", ".join(f"-{name}" for name in MEASURES)
    if span != HOUR_US:
        true = f"{cube.table} WHERE span = {SPANS[SPANS.index(span) + 1]}"
    elif cube is WIDE:
        at, minus = f"started_at - started_at % {span}", minus.replace("-calls", "-1", 1)
        true = "ledger WHERE spent = 1"
    else:
        true = f"{WIDE.table} WHERE span = {span}"
    # One statement is one snapshot: rows that arrive meanwhile cannot look like a difference.
    both = f"{ours} UNION ALL SELECT {at}, {names}, {minus}, 2 FROM {true}"
    unlike = " OR ".join(f"sum({name}) <> 0" for name in MEASURES)
    return (
        f"SELECT start, {names} FROM ({both}) AS found GROUP BY start, {names}"
        f" HAVING {unlike} OR min(side) = max(side) LIMIT 1"
    )


def _row(record: Record) -> Row:
    return opened(as_bytes(record[0]))


def _kept(record: Record) -> KeptRow:
    return KeptRow(as_int(record[_SEQ]), as_bytes(record[-1]), as_bytes(record[-2]), record[:-2])
