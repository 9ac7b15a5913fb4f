"""From a sealed row to what SQL keeps of it: the columns that queries read, and what counts as spend.

Whatever a caller or a provider managed to get into a row, its columns fit both databases: a row that cannot
be stored would hold up every row behind it.
"""

import hashlib
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from shared.ledger.entry import Outcome
from shared.ledger.row import Row, SealedRow, opened

Record = tuple[Any, ...]

COLUMNS = (
    "id",
    "writer",
    "seq",
    "tenant",
    "chain",
    "started_at",
    "service",
    "principal",
    "actor",
    "team",
    "project",
    "key",
    "resource",
    "action",
    "decision",
    "outcome",
    "model",
    "provider",
    "server",
    "tool",
    "tokens_in",
    "tokens_out",
    "cost_micros",
    "spent",
    "checkpoint",
)
LEDGER = (*COLUMNS, "hash", "body")
# In rows and rollups alike; the last actor is called `agent` where people ask for it.
CUBE = (
    "tenant",
    "team",
    "project",
    "principal",
    "actor",
    "key",
    "service",
    "model",
    "provider",
    "server",
    "tool",
)
MEASURES = ("calls", "tokens_in", "tokens_out", "cost_micros")
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

_LONGEST_TEXT, _KEPT_TEXT = 256, 128
_BIGGEST = 2**62 - 1
# A billion dollars: a larger amount is a provider's mistake, and sums of it must not overflow.
_BIGGEST_AMOUNT = 10**15
_MADE = frozenset({Outcome.COMPLETED, Outcome.FAILED, Outcome.BROKEN, Outcome.CLIENT_GONE, Outcome.STOPPED})
_SPENDING = ("model:", "tool:", "prompt:", "resource:", "agent:")


# What most rows have: texts that are kept as they are, read in one go.
_texts_of: Callable[[Row], tuple[str, ...]] = attrgetter(
    *(name for name in COLUMNS[: COLUMNS.index("tokens_in")] if name not in ("seq", "started_at"))
)


def columns_of(row: Row) -> Record:
    """The row's values in the order of COLUMNS."""
    texts = _texts_of(row)
    if max(map(len, texts)) > _LONGEST_TEXT or "\x00" in "".join(texts):
        texts = tuple(map(fitted, texts))
    identity, writer, tenant, chain, *others = texts
    return (
        identity,
        writer,
        _clamp(row.seq, _BIGGEST),
        tenant,
        chain,
        _clamp(row.started_at, _BIGGEST),
        *others,
        _clamp(row.tokens_in, _BIGGEST_AMOUNT),
        _clamp(row.tokens_out, _BIGGEST_AMOUNT),
        _clamp(row.cost_micros, _BIGGEST_AMOUNT),
        int(is_spend(row)),
        int(row.checkpoint != ""),
    )


def is_spend(row: Row) -> bool:
    """Whether the row is a call that reached a model, a tool or an agent: no bookkeeping of ours, no refusal,
    no list, and not the edge passing on what the service behind it records itself."""
    if row.checkpoint:
        return False
    if row.cost_micros or row.tokens_in or row.tokens_out:
        return True
    made = row.outcome in _MADE and row.decision != "deny" and row.action != "list"
    return made and row.resource.startswith(_SPENDING)


class Parsed:
    """A batch of sealed rows, each id once and ordered by id: drains that lock in the same order cannot
    deadlock.

    `records` are what goes into the table, in the order of LEDGER; `tokens` are the signatures of the
    checkpoints.
    """

    def __init__(self, batch: Iterable[SealedRow]) -> None:
        records: dict[str, Record] = {}
        self.tokens: dict[str, tuple[str, str, str]] = {}
        for sealed in batch:
            row = opened(sealed.body)
            columns = columns_of(row)
            key = str(columns[0])
            records.setdefault(key, (*columns, sealed.hash, sealed.body))
            if row.checkpoint:
                self.tokens.setdefault(key, (key, str(columns[1]), row.checkpoint.replace("\x00", "")))
        self.records = dict(sorted(records.items()))


def fitted(text: str) -> str:
    """`text` as both databases can keep and index it. What is too long, or has a NUL in it, is cut and told
    apart from all others by its hash."""
    if len(text) <= _LONGEST_TEXT and "\x00" not in text:
        return text
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()
    return f"{text[:_KEPT_TEXT]}#{digest}".replace("\x00", "\ufffd")


def _clamp(value: int, most: int) -> int:
    return value if 0 <= value <= most else 0 if value < 0 else most
