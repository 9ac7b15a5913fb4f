"""Which rows leave for a period, on both databases."""

from shared.ledger.export import Span, leaving
from shared.store import Store
from tests.shared.ledger.signed import WRITER, signed
from tests.support.rows import START_US

SECOND = 1_000_000


async def test_a_period_takes_what_lies_between_its_rows_and_the_next_checkpoint_with_it(
    store: Store,
) -> None:
    rows = signed(40, every=10, step_us=SECOND)
    await store.append(rows)
    period = Span(START_US + 12 * SECOND, START_US + 15 * SECOND)

    async def seqs(position: dict[str, int], span: Span) -> list[int]:
        return [row.seq async for _, row in leaving(store, position, START_US, span)]

    assert await seqs({}, period) == list(range(12, 21))
    assert await seqs({WRITER: 17}, period) == [18, 19, 20]
    assert await seqs({}, Span(0, START_US)) == []
    assert await seqs({}, Span(START_US + 35 * SECOND, 2**62)) == list(range(35, 41))


async def test_rows_are_read_from_any_place_of_a_writers_chain(store: Store) -> None:
    await store.append(signed(12, every=5))
    assert [row.seq async for row in store.rows(WRITER, 9)] == [10, 11, 12]
    assert [row.seq async for row in store.rows(WRITER, 12)] == []
