"""One writer's chain of rows, walked from its first to its last: where it first is not as it was written."""

import hashlib
from enum import StrEnum

import msgspec
from msgspec import Struct

from shared.ledger.checkpoint import Mark, Notary
from shared.ledger.row import Row, opened
from shared.store.columns import COLUMNS, columns_of
from shared.store.record import KeptRow

# A checkpoint speaks of a row at most this far behind it: more calls are never under way in one process.
_REMEMBERED = 20_000


class Kind(StrEnum):
    CHANGED = "changed"
    MISSING = "missing"
    REORDERED = "reordered"
    INSERTED = "inserted"
    CHECKPOINT = "checkpoint"
    TRUNCATED = "truncated"
    ROLLUP = "rollup"
    UNSIGNED = "unsigned"


class Finding(Struct, frozen=True):
    """A place where the ledger is not as it was written; `id` is "" where there is no row any more."""

    writer: str
    seq: int
    id: str
    kind: Kind
    problem: str


class _Link(Struct, frozen=True, gc=False):
    """A row as the next one sees it."""

    seq: int
    id: str
    hash: str


class Chain:
    """One writer's rows from `first` on, taken in the order of their sequence numbers. `finding` is the first
    that is bad. What lies before `first` is not asked for."""

    def __init__(self, writer: str, notary: Notary, first: int = 1) -> None:
        self.rows = 0
        self.checkpoints = 0
        self.finding: Finding | None = None
        self.note: Finding | None = None
        self._writer = writer
        self._notary = notary
        self._first = first
        self._signed: dict[int, str] = {}
        self._covered = 0
        self._gap: Finding | None = None
        # The rows that claim the last place: one, or a true one and those that were put beside it.
        self._last: list[_Link] = []
        # The last that were taken, each in the place of an older one.
        self._recent: list[_Link | None] = [None] * _REMEMBERED

    def expect(self, mark: Mark) -> None:
        self._signed[mark.seq] = mark.hash
        self._covered = max(self._covered, mark.seq)

    def expect_signed(self, row: str, token: str) -> None:
        """A checkpoint that was kept beside the rows."""
        mark = self._notary.mark(token)
        if isinstance(mark, str):
            self._found(_Link(0, row, ""), Kind.CHECKPOINT, f"a checkpoint of this writer: {mark}")
        elif mark.writer != self._writer:
            self._found(
                _Link(0, row, ""), Kind.CHECKPOINT, "a checkpoint of another writer stands in its place"
            )
        else:
            self.expect(mark)

    def take(self, kept: KeptRow) -> None:
        self.rows += 1
        link = _Link(kept.seq, str(kept.columns[0]), hashlib.sha256(kept.body).hexdigest())
        if kept.seq < 1:
            self._found(link, Kind.INSERTED, "no writer counts from there")
            return
        row = _read(kept.body)
        if row is None:
            self._found(link, Kind.CHANGED, "its content cannot be read")
        elif self._in_place(kept, link, row):
            self._follow(link, row)
            if row.checkpoint:
                self._check(link, row)
        self._remember(link)

    @property
    def last(self) -> int:
        """The last row that was taken."""
        return self._last[0].seq if self._last else self._first - 1

    def holds(self, kept: KeptRow) -> bool:
        """Whether this very row was taken a short while ago."""
        if kept.seq > self.last:
            return False
        return self._hash_of(kept.seq) == hashlib.sha256(kept.body).hexdigest()

    def end(self) -> None:
        self._leave()
        last = self.last
        if self._covered > last:
            problem = f"the rows end at {last}, and a signed checkpoint covers {self._covered}"
            self._found(_Link(last + 1, "", ""), Kind.TRUNCATED, problem)
        if self._gap is None:
            return
        if self._gap.seq <= self._covered:
            self._earliest(self._gap)
        else:
            self.note = msgspec.structs.replace(self._gap, kind=Kind.UNSIGNED)

    def _in_place(self, kept: KeptRow, link: _Link, row: Row) -> bool:
        """Compares the row with its hash and its copies. False when it is another
        place's row, from which nothing follows about the rows beside it."""
        true = columns_of(row)
        differing = []
        if kept.columns != true:
            differing = [
                name for name, copy, was in zip(COLUMNS, kept.columns, true, strict=True) if copy != was
            ]
        if "seq" in differing or "writer" in differing:
            self._found(link, Kind.REORDERED, f"it was written as row {row.seq} of {row.writer}")
            return False
        if kept.hash.hex() != link.hash:
            self._found(link, Kind.CHANGED, "its content and its hash do not belong together")
        elif differing:
            self._found(link, Kind.CHANGED, f"what queries read of it was changed: {', '.join(differing)}")
        return True

    def _follow(self, link: _Link, row: Row) -> None:
        """The row with the one before it."""
        before = self.last
        if len(self._last) == 1 and link.seq == before + 1 and self._last[0].hash == row.prev:
            return
        if link.seq > before + 1:
            if self._gap is None:
                missing = (
                    f"rows {before + 1} to {link.seq - 1} are" if link.seq > before + 2 else "this row is"
                )
                problem = f"{missing} not there"
                self._gap = Finding(self._writer, before + 1, "", Kind.MISSING, problem)
            return
        if link.seq == before:
            return
        true = [candidate for candidate in self._last if candidate.hash == row.prev]
        if true:
            self._weed(true[0])
        elif self._last or (row.prev and self._first == 1):
            # The row is vouched for by the one behind it, so the one before it is what was changed.
            blamed = self._last[-1] if self._last else link
            self._found(blamed, Kind.CHANGED, "the next row was not written after it")

    def _weed(self, true: _Link) -> None:
        for forged in self._last:
            if forged is not true:
                self._found(forged, Kind.INSERTED, "it was put beside the row that the chain goes on from")
        self._last = [true]

    def _leave(self) -> None:
        """Judges the last place, when no other row can come to it any more."""
        signed = self._signed.get(self._last[0].seq) if self._last else None
        if signed is None and len(self._last) < 2:
            return
        true = [candidate for candidate in self._last if candidate.hash == signed]
        if true:
            self._weed(true[0])
        elif signed is not None:
            self._found(self._last[0], Kind.CHANGED, "it is not the row that a checkpoint was signed over")
        elif len(self._last) > 1:
            self._found(self._last[-1], Kind.INSERTED, "another row has the same place in the chain")

    def _check(self, link: _Link, row: Row) -> None:
        mark = self._notary.mark(row.checkpoint)
        if isinstance(mark, str):
            self._found(link, Kind.CHECKPOINT, mark)
        elif mark.writer != self._writer or mark.seq >= link.seq:
            self._found(link, Kind.CHECKPOINT, "it was signed for another place")
        elif self._hash_of(mark.seq) not in (None, mark.hash):
            self._found(link, Kind.CHECKPOINT, f"row {mark.seq} is not the one that it was signed over")
        else:
            self.checkpoints += 1
            self._covered = max(self._covered, mark.seq)

    def _remember(self, link: _Link) -> None:
        if self._last and self._last[0].seq == link.seq:
            self._last.append(link)
            return
        self._leave()
        self._last = [link]
        self._recent[link.seq % _REMEMBERED] = link

    def _hash_of(self, seq: int) -> str | None:
        """None where that row was not taken, or too long ago."""
        link = self._recent[seq % _REMEMBERED]
        return link.hash if link is not None and link.seq == seq else None

    def _found(self, link: _Link, kind: Kind, problem: str) -> None:
        self._earliest(Finding(self._writer, link.seq, link.id, kind, problem))

    def _earliest(self, finding: Finding) -> None:
        if self.finding is None or finding.seq < self.finding.seq:
            self.finding = finding


def _read(body: bytes) -> Row | None:
    try:
        return opened(body)
    except msgspec.MsgspecError:
        return None
