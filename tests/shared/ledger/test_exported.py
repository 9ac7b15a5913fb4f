"""Rows that have left the store are proved like those in it, and whoever has changed them is found."""

from collections.abc import Callable

import pytest
from msgspec import Struct

from shared.identity.signing import Signer
from shared.ledger.audit import Kind, Report, verify_exported
from shared.ledger.exported import ExportedRow, line_of, read
from shared.store import KeptRow
from tests.shared.ledger.signed import SIGNER, WRITER, exported, forged, kept, signed

ROWS = signed(30, every=11)
LINES = exported(ROWS)
[FORGED] = exported([forged(ROWS[6], detail="x")])
KEYS = [SIGNER.jwks()]


def verified(lines: list[bytes], **more: dict[str, int]) -> Report:
    return verify_exported(lines, jwks=KEYS, **more)


def found(lines: list[bytes], **more: dict[str, int]) -> list[tuple[int, Kind]]:
    return [(finding.seq, finding.kind) for finding in verified(lines, **more).findings]


def test_what_was_exported_is_sound() -> None:
    assert verified(LINES) == Report(writers=1, rows=30, checkpoints=2, findings=[], notes=[])


def test_a_row_comes_back_as_the_very_bytes_that_were_sealed() -> None:
    [row] = read(LINES[:1])
    assert isinstance(row, ExportedRow)
    assert row.kept == kept(ROWS[0])


class Case(Struct, frozen=True):
    name: str
    tamper: Callable[[list[bytes]], list[bytes]]
    expected: list[tuple[int, Kind]]


def _at(number: int, line: bytes) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: [*lines[: number - 1], line, *lines[number:]]


CASES = [
    Case("changed", _at(7, LINES[6].replace(b'"cost_micros":7', b'"cost_micros":9')), [(7, Kind.CHANGED)]),
    Case("changed, with a hash that fits", _at(7, FORGED), [(7, Kind.CHANGED)]),
    Case("emptied", _at(7, line_of(WRITER, KeptRow(7, b"\xff", ROWS[6].hash, ()))), [(7, Kind.CHANGED)]),
    Case("removed", lambda lines: [*lines[:5], *lines[6:]], [(6, Kind.MISSING)]),
    Case("swapped", lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], [(4, Kind.MISSING)]),
    Case("no row at all", lambda lines: [*lines, b"not a row\n"], [(0, Kind.CHANGED)]),
    Case(
        "changed and put beside the true one",
        lambda lines: [*lines[:7], FORGED, *lines[7:]],
        [(7, Kind.INSERTED)],
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_whoever_changed_the_export_is_found(case: Case) -> None:
    assert found(case.tamper(LINES)) == case.expected


def test_keys_that_did_not_sign_vouch_for_nothing() -> None:
    report = verify_exported(LINES, jwks=[Signer("llm_gateway").jwks()])
    assert [(finding.seq, finding.kind) for finding in report.findings] == [(11, Kind.CHECKPOINT)]


def test_an_export_may_begin_anywhere_and_says_so() -> None:
    report = verified(LINES[14:])
    assert report.findings == []
    assert [(note.seq, note.problem) for note in report.notes] == [(15, "the export begins here")]
    assert found([*LINES[14:16], *LINES[17:]]) == [(17, Kind.MISSING)]


def test_rows_that_were_sent_twice_are_read_once() -> None:
    assert verified([*LINES[:20], *LINES[12:]]).findings == []
    assert verified([*LINES[:20], *LINES[12:]]).rows == 30


def test_a_changed_row_does_not_pass_for_one_that_was_sent_twice() -> None:
    changed = LINES[14].replace(b'"cost_micros":15', b'"cost_micros":16')
    assert changed != LINES[14]
    assert found([*LINES[:20], changed, *LINES[20:]]) != []


def test_writers_may_alternate_in_one_file() -> None:
    other = exported(signed(10, every=5, writer="mcp_gateway-w"))
    report = verified([*LINES[:10], *other[:4], *LINES[10:], *other[4:]])
    assert (report.writers, report.rows, report.findings) == (2, 40, [])


def test_what_a_receiver_puts_before_a_row_is_passed_over() -> None:
    lines = [b"<110>1 2027-01-15T08:00:00Z - gatestack w ledger - " + line for line in LINES]
    assert verified([*lines, b"\n"]).findings == []


def test_where_the_export_ended_shows_that_its_end_was_cut_off() -> None:
    assert found(LINES, position={WRITER: 30}) == []
    assert found(LINES[:25], position={WRITER: 30}) == [(26, Kind.TRUNCATED)]
    assert found(LINES, position={"gone-w": 3, WRITER: 30}) == [(1, Kind.TRUNCATED)]
