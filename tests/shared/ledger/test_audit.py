"""Whoever changes the ledger behind our back is found, at the first row that is not as it was written."""

import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from shared.identity.signing import Signer
from shared.ledger import audit
from shared.ledger.audit import Kind, Report, verify
from shared.ledger.checkpoint import Mark, sign
from shared.ledger.row import Row, SealedRow, checkpoint_row, opened, row_of, seal
from shared.store import SigningKey, open_store
from shared.store.columns import LEDGER, Parsed
from tests.support.rows import entry, sealed_row

WRITER, OTHER = "llm_gateway-w", "mcp_gateway-w"
SIGNER = Signer("llm_gateway")
ROWS, CHECKPOINTS = 30, (11, 22)
# What has come after the last checkpoint, which nobody has signed yet.
LAST_SIGNED, LAST = 21, 30


def written(writer: str = WRITER, signer: Signer = SIGNER) -> list[SealedRow]:
    """Thirty rows; the 11th and the 22nd are checkpoints over all before them."""
    rows: list[SealedRow] = []
    for seq in range(1, ROWS + 1):
        prev = rows[-1].hash.hex() if rows else ""
        if seq in CHECKPOINTS:
            token = sign(signer, Mark(writer, seq - 1, prev), at=5)
            row = checkpoint_row(token, writer=writer, seq=seq, prev=prev, service="s", at=5)
        else:
            row = row_of(entry(cost_micros=seq), writer=writer, seq=seq, prev=prev)
        rows.append(sealed_row(row))
    return rows


class Ledger:
    """A store on disk, and the hands of somebody who has got at its file."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "gatestack.db"
        self.rows = written()

    async def fill(self) -> None:
        store = open_store(f"sqlite://{self.path}")
        await store.append([*self.rows, *written(OTHER)])
        keys = msgspec.json.decode(SIGNER.jwks())["keys"]
        await store.add_signing_key(
            SigningKey(kid=SIGNER.kid, issuer="llm_gateway", jwk=msgspec.json.encode(keys[0]))
        )
        await store.close()

    async def verify(self, **trust: list[bytes] | list[str]) -> Report:
        store = open_store(f"sqlite://{self.path}")
        report = await verify(store, **trust)  # type: ignore[arg-type]
        await store.close()
        return report

    def sql(self, statement: str, *values: object) -> None:
        with sqlite3.connect(self.path) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(statement, values)
        connection.close()

    def row(self, seq: int) -> Row:
        return opened(self.rows[seq - 1].body)

    def write(self, seq: int, row: Row, *, rehash: bool = True) -> None:
        """Puts `row` in the place of row `seq`, and everything that is kept beside it in order."""
        body, digest = seal(row)
        self.remove(f"seq = {seq}")
        self.insert(SealedRow(body, digest if rehash else self.rows[seq - 1].hash), seq)

    def insert(self, sealed: SealedRow, seq: int) -> None:
        record = dict(zip(LEDGER, next(iter(Parsed([sealed]).records.values())), strict=True)) | {"seq": seq}
        marks = ", ".join("?" * len(LEDGER))
        self.sql(f"INSERT INTO ledger ({', '.join(LEDGER)}) VALUES ({marks})", *record.values())

    def remove(self, condition: str) -> None:
        self.sql(f"DELETE FROM ledger WHERE writer = '{WRITER}' AND {condition}")


@pytest.fixture
async def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path)
    await ledger.fill()
    return ledger


class Case(Struct, frozen=True):
    name: str
    tamper: Callable[[Ledger], None]
    seq: int
    kind: Kind


def _change(ledger: Ledger, seq: int, *, rehash: bool) -> None:
    ledger.write(seq, msgspec.structs.replace(ledger.row(seq), detail="changed"), rehash=rehash)


def _swap(ledger: Ledger, one: int, two: int) -> None:
    ledger.sql("UPDATE ledger SET seq = -1 WHERE writer = ? AND seq = ?", WRITER, one)
    ledger.sql("UPDATE ledger SET seq = ? WHERE writer = ? AND seq = ?", one, WRITER, two)
    ledger.sql("UPDATE ledger SET seq = ? WHERE writer = ? AND seq = -1", two, WRITER)


def _swap_contents(ledger: Ledger, one: int, two: int) -> None:
    first, second = ledger.row(one), ledger.row(two)
    ledger.remove(f"seq IN ({one}, {two})")
    ledger.insert(sealed_row(msgspec.structs.replace(second, seq=one, prev=first.prev)), one)
    ledger.insert(sealed_row(msgspec.structs.replace(first, seq=two, prev=second.prev)), two)


def _insert(ledger: Ledger, seq: int, identity: str = "forged") -> None:
    forged = msgspec.structs.replace(ledger.row(seq), id=identity, detail="forged")
    ledger.insert(sealed_row(forged), seq)


def _insert_before(ledger: Ledger) -> None:
    ledger.insert(sealed_row(msgspec.structs.replace(ledger.row(1), id="forged", seq=0)), 0)


def _forge_checkpoint(ledger: Ledger, forger: Signer) -> None:
    """Changes row 5, writes the chain behind it anew and signs it with another key."""
    prev = ""
    for seq in range(1, LAST + 1):
        row = msgspec.structs.replace(ledger.row(seq), prev=prev)
        if seq == 5:
            row = msgspec.structs.replace(row, detail="changed")
        if seq in CHECKPOINTS:
            token = sign(forger, Mark(WRITER, seq - 1, prev), at=5)
            row = msgspec.structs.replace(row, checkpoint=token)
            ledger.sql("UPDATE checkpoints SET token = ? WHERE id = ?", token, row.id)
        ledger.write(seq, row)
        prev = hashlib.sha256(msgspec.json.encode(row)).hexdigest()


def _alter_signature(ledger: Ledger) -> None:
    row = ledger.row(22)
    head, claims, signature = row.checkpoint.split(".")
    token = f"{head}.{claims}.{'A' + signature[1:] if signature[0] != 'A' else 'B' + signature[1:]}"
    ledger.write(22, msgspec.structs.replace(row, checkpoint=token))


def _move_checkpoint(ledger: Ledger) -> None:
    """The signature of another writer's checkpoint in the place of ours."""
    other = next(opened(row.body) for row in written(OTHER) if opened(row.body).seq == 22)
    ledger.write(22, msgspec.structs.replace(ledger.row(22), checkpoint=other.checkpoint))


def _cut(ledger: Ledger, after: int, *, signatures: bool) -> None:
    ledger.remove(f"seq > {after}")
    if signatures:
        ledger.sql("DELETE FROM checkpoints WHERE writer = ?", WRITER)


CASES = [
    Case("changed field", lambda it: _change(it, 7, rehash=False), 7, Kind.CHANGED),
    Case("changed field with a new hash", lambda it: _change(it, 7, rehash=True), 7, Kind.CHANGED),
    Case("changed field of the first row", lambda it: _change(it, 1, rehash=True), 1, Kind.CHANGED),
    Case("changed field of a checkpoint", lambda it: _change(it, 11, rehash=True), 11, Kind.CHANGED),
    Case(
        "changed row that a checkpoint vouches for", lambda it: _change(it, 21, rehash=True), 21, Kind.CHANGED
    ),
    Case(
        "changed hash",
        lambda it: it.sql("UPDATE ledger SET hash = ? WHERE writer = ? AND seq = 9", b"0" * 32, WRITER),
        9,
        Kind.CHANGED,
    ),
    Case(
        "changed copy of a field",
        lambda it: it.sql("UPDATE ledger SET principal = 'user:eve' WHERE writer = ? AND seq = 8", WRITER),
        8,
        Kind.CHANGED,
    ),
    Case(
        "unreadable content",
        lambda it: it.sql("UPDATE ledger SET body = ? WHERE writer = ? AND seq = 8", b"{", WRITER),
        8,
        Kind.CHANGED,
    ),
    Case("removed row", lambda it: it.remove("seq = 6"), 6, Kind.MISSING),
    Case("removed first row", lambda it: it.remove("seq = 1"), 1, Kind.MISSING),
    Case("removed rows round a checkpoint", lambda it: it.remove("seq BETWEEN 9 AND 12"), 9, Kind.MISSING),
    Case("two rows in each other's place", lambda it: _swap(it, 4, 5), 4, Kind.REORDERED),
    Case("two rows with each other's content", lambda it: _swap_contents(it, 4, 5), 4, Kind.CHANGED),
    Case(
        "row moved to another writer",
        lambda it: it.sql(f"UPDATE ledger SET writer = '{WRITER}' WHERE seq = 30"),
        30,
        Kind.REORDERED,
    ),
    Case("inserted row", lambda it: _insert(it, 6), 6, Kind.INSERTED),
    Case("inserted row that sorts first", lambda it: _insert(it, 6, "!"), 6, Kind.INSERTED),
    Case("inserted beside what is signed", lambda it: _insert(it, 21, "!"), 21, Kind.INSERTED),
    Case("inserted beside the last row", lambda it: _insert(it, 30), 30, Kind.INSERTED),
    Case("inserted before the first row", _insert_before, 0, Kind.INSERTED),
    Case("forged signature", _alter_signature, 22, Kind.CHECKPOINT),
    Case("another's checkpoint", _move_checkpoint, 22, Kind.CHECKPOINT),
    Case("whole chain forged", lambda it: _forge_checkpoint(it, Signer("llm_gateway")), 0, Kind.CHECKPOINT),
    Case("tail cut off", lambda it: _cut(it, 15, signatures=False), 16, Kind.TRUNCATED),
    Case("everything cut off", lambda it: _cut(it, 0, signatures=False), 1, Kind.TRUNCATED),
]


async def test_an_untouched_ledger_has_no_findings(ledger: Ledger) -> None:
    report = await ledger.verify()
    assert report == Report(writers=2, rows=60, checkpoints=4, findings=[], notes=[])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_first_bad_row_is_named(ledger: Ledger, case: Case) -> None:
    case.tamper(ledger)
    found = [finding for finding in (await ledger.verify()).findings if finding.writer == WRITER]
    assert [(finding.seq, finding.kind) for finding in found] == [(case.seq, case.kind)]
    assert found[0].problem


async def test_how_far_it_has_come_is_told(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_TOLD_EVERY", 20)
    told: list[tuple[str, int]] = []
    store = open_store(f"sqlite://{ledger.path}")
    await verify(store, progress=lambda stage, rows: told.append((stage, rows)))
    await store.close()
    assert told == [(f"rows of {WRITER}", 20), (f"rows of {OTHER}", ROWS + 20), ("sums", 2 * ROWS)]


async def test_a_gap_that_no_checkpoint_covers_is_noted_and_accuses_nobody(ledger: Ledger) -> None:
    ledger.remove("seq IN (25, 26)")
    report = await ledger.verify()
    assert [finding.kind for finding in report.findings] == [Kind.ROLLUP]
    (note,) = report.notes
    assert (note.writer, note.seq, note.kind) == (WRITER, 25, Kind.UNSIGNED)
    assert "25 to 26" in note.problem


async def test_checkpoints_that_were_kept_elsewhere_show_that_both_tail_and_signatures_are_gone(
    ledger: Ledger,
) -> None:
    anchor = ledger.row(22).checkpoint
    _cut(ledger, 15, signatures=True)
    assert [f for f in (await ledger.verify()).findings if f.writer] == []
    found = [f for f in (await ledger.verify(anchors=[anchor])).findings if f.writer]
    assert [(f.writer, f.seq, f.kind) for f in found] == [(WRITER, 16, Kind.TRUNCATED)]


async def test_keys_from_elsewhere_show_that_the_keys_in_the_store_were_replaced(ledger: Ledger) -> None:
    forger = Signer("llm_gateway")
    _forge_checkpoint(ledger, forger)
    key = msgspec.json.encode(msgspec.json.decode(forger.jwks())["keys"][0])
    ledger.sql("INSERT INTO signing_keys VALUES (?, 'llm_gateway', ?, 5)", forger.kid, key)
    assert [f for f in (await ledger.verify()).findings if f.writer] == []
    found = [f for f in (await ledger.verify(jwks=[SIGNER.jwks()])).findings if f.writer]
    assert [(f.writer, f.kind) for f in found] == [(WRITER, Kind.CHECKPOINT)]


async def test_a_checkpoint_kept_elsewhere_that_no_known_key_has_signed_is_a_finding(ledger: Ledger) -> None:
    anchor = sign(Signer("llm_gateway"), Mark(WRITER, 3, "ab"), at=5)
    (finding,) = (await ledger.verify(anchors=[anchor])).findings
    assert (finding.writer, finding.kind) == ("", Kind.CHECKPOINT)


async def test_a_key_in_the_store_that_is_no_key_is_passed_over(ledger: Ledger) -> None:
    ledger.sql("INSERT INTO signing_keys VALUES ('k', 'llm_gateway', ?, 5)", b'{"kty":')
    assert (await ledger.verify()).findings == []


async def test_changed_totals_are_found_although_every_row_is_true(ledger: Ledger) -> None:
    ledger.sql("UPDATE spend SET cost_micros = 0")
    (finding,) = (await ledger.verify()).findings
    assert (finding.writer, finding.kind) == ("", Kind.ROLLUP)


async def test_every_writer_has_its_own_finding(ledger: Ledger) -> None:
    ledger.sql("DELETE FROM ledger WHERE seq = 3")
    found = [f for f in (await ledger.verify()).findings if f.writer]
    assert [(f.writer, f.seq) for f in found] == [(WRITER, 3), (OTHER, 3)]


async def test_an_empty_store_is_sound(tmp_path: Path) -> None:
    store = open_store(f"sqlite://{tmp_path}/empty.db")
    assert await verify(store) == Report(writers=0, rows=0, checkpoints=0, findings=[], notes=[])
    await store.close()
