"""A writer's rows with signed checkpoints among them, and the same rows as they are exported."""

from shared.identity.signing import Signer
from shared.ledger.checkpoint import Mark, sign
from shared.ledger.exported import line_of
from shared.ledger.row import Row, SealedRow, checkpoint_row, opened, row_of
from shared.store import KeptRow
from shared.store.columns import columns_of
from tests.support.rows import START_US, entry, sealed_row

SIGNER = Signer("llm_gateway")
WRITER = "llm_gateway-w"


def signed(count: int, every: int, writer: str = WRITER, step_us: int = 0) -> list[SealedRow]:
    """`count` rows; each `every`th is a checkpoint over all before it. They begin `step_us` apart."""
    rows: list[SealedRow] = []
    for seq in range(1, count + 1):
        prev, at = rows[-1].hash.hex() if rows else "", START_US + seq * step_us
        row = row_of(entry(cost_micros=seq, started_at=at), writer=writer, seq=seq, prev=prev)
        if seq % every == 0:
            token = sign(SIGNER, Mark(writer, seq - 1, prev), at=5)
            row = checkpoint_row(token, writer=writer, seq=seq, prev=prev, service="llm_gateway", at=at)
        rows.append(sealed_row(row))
    return rows


def kept(sealed: SealedRow) -> KeptRow:
    row = opened(sealed.body)
    return KeptRow(row.seq, sealed.body, sealed.hash, columns_of(row))


def exported(rows: list[SealedRow]) -> list[bytes]:
    return [line_of(opened(row.body).writer, kept(row)) + b"\n" for row in rows]


def forged(row: SealedRow, **fields: object) -> SealedRow:
    """Changed, with a hash of its own."""
    changed: Row = opened(row.body)
    return sealed_row(
        type(changed)(**{name: getattr(changed, name) for name in changed.__struct_fields__} | fields)
    )
