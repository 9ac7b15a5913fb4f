"""The export: which rows leave the store, in the order of each writer's chain, and from where it goes on the
next time.
"""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from shared.errors import BadRequest
from shared.ledger.checkpoint import claimed
from shared.replace_file import replace_file
from shared.store import KeptRow, Store
from shared.store.columns import COLUMNS, DAY_US

Position = dict[str, int]  # writer: the last row that has gone out
_STARTED_AT = COLUMNS.index("started_at")
_POSITION = msgspec.json.Decoder(Position)


class Span(Struct, frozen=True):
    """Rows that began in `since <= t < until`, microseconds since 1970, and whatever lies between them in
    their writer's chain, on to the next checkpoint: without it nobody could check them."""

    since: int
    until: int


async def leaving(
    store: Store, position: Mapping[str, int], now: int, span: Span | None = None
) -> AsyncIterator[tuple[str, KeptRow]]:
    """Every writer's rows behind `position`.

    Rows of one writer reach the store in any order. What lies behind a gap that no checkpoint covers waits
    for the next time: the missing row may be on its way, and nobody would come back for it. A row that is a
    day old waits no longer: a writer that was killed signs nothing more.
    """
    for writer in await store.writers():
        first, last = 0, None
        if span is not None:
            stretch = await store.stretch(writer, span.since, span.until)
            if stretch is None:
                continue
            first, last = stretch
        async for kept in _behind(store, writer, max(position.get(writer, 0), first - 1), now):
            if last is not None and kept.seq > last:
                break
            yield writer, kept


async def _behind(store: Store, writer: str, after: int, now: int) -> AsyncIterator[KeptRow]:
    covered = max((claimed(kept.token) for kept in await store.checkpoints(writer)), default=0)
    expected = after + 1
    async for kept in store.rows(writer, after):
        if kept.seq > max(expected, covered) and _began(kept) > now - DAY_US:
            return
        expected = kept.seq + 1
        yield kept


def _began(kept: KeptRow) -> int:
    began = kept.columns[_STARTED_AT]
    return began if isinstance(began, int) else 0


def load(path: Path) -> Position:
    """Where the last export ended; nothing where there was none. Raises BadRequest on another file."""
    try:
        return _POSITION.decode(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as error:
        raise BadRequest(f"{path} is no position of an export: {error}") from error


def save(path: Path, position: Position) -> None:
    """As a whole or not at all. Raises OSError."""
    replace_file(path, msgspec.json.encode(position), mode=0o666)
