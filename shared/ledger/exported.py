"""A row outside the store: one JSON line with the row's very bytes, so that it can still be proved."""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw, Struct

from shared.ledger.row import opened
from shared.store.columns import COLUMNS, columns_of
from shared.store.record import KeptRow

_SEQ, _WRITER = COLUMNS.index("seq"), COLUMNS.index("writer")


class ExportedRow(Struct, frozen=True):
    """`hash` (hex) is the SHA-256 of `row`, byte by byte: who formats it anew breaks it."""

    writer: str
    seq: int
    hash: str
    row: Raw

    @property
    def kept(self) -> KeptRow:
        """As a store would keep it."""
        body = bytes(self.row)
        return KeptRow(self.seq, body, _bytes(self.hash), self._columns(body))

    def _columns(self, body: bytes) -> tuple[object, ...]:
        try:
            columns: list[object] = list(columns_of(opened(body)))
        except msgspec.MsgspecError:
            return ("",)  # nobody can read the row, and so nobody its id
        columns[_SEQ], columns[_WRITER] = self.seq, self.writer
        return tuple(columns)


def line_of(writer: str, kept: KeptRow) -> bytes:
    """Without a line's end. A body that is no row any more is left out: the hash tells that it is gone."""
    try:
        opened(kept.body)
        row = Raw(b"{}" if b"\n" in kept.body else kept.body)
    except msgspec.MsgspecError:
        row = Raw(b"{}")
    return msgspec.json.encode(ExportedRow(writer, kept.seq, kept.hash.hex(), row))


def read(lines: Iterable[bytes]) -> Iterator[ExportedRow | int]:
    """The rows in `lines`; for a line that holds none, its number. What a receiver has put before a row, a
    syslog header, is passed over; so are empty lines."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _decode(line[line.find(b'{"writer"') :])
        except msgspec.DecodeError:
            yield number


_decode = msgspec.json.Decoder(ExportedRow).decode


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
