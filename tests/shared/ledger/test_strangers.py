"""A flood of callers whom nobody knows: few rows, and no refusal uncounted."""

from typing import Any

from shared.errors import Unavailable
from shared.ledger.entry import Entry, Outcome, new_id
from shared.ledger.row import opened, row_of, seal
from shared.ledger.strangers import Strangers
from tests.support.clock import FakeClock
from tests.support.frame import CALLER


class Book:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.rows: list[Entry] = []
        self.told: list[Entry] = []
        self.gone = False
        self.strangers = Strangers(self._close, self.told.append, self.clock)

    async def _close(self, entry: Entry, lease: None) -> None:
        if self.gone:
            raise Unavailable("no Redis, no disk")
        self.rows.append(entry)

    async def refuse(self, source: str = "192.0.2.1", **changed: Any) -> None:
        entry = Entry(id=new_id(), service="api_gateway", started_at=self.clock.now_us(), status=401)
        entry.outcome, entry.reason = Outcome.REFUSED, "unauthenticated"
        for name, value in changed.items():
            setattr(entry, name, value)
        if not self.strangers.counted(entry, {"client": (source, 4711)}):
            await self._close(entry, None)


async def test_of_a_flood_the_first_has_a_row_and_all_others_of_its_minute_share_one() -> None:
    book = Book()
    for number in range(500):
        await book.refuse(reason="limit" if number > 399 else "unauthenticated")
    await book.strangers.tick()
    assert len(book.rows) == 1
    book.clock.advance(60)
    await book.strangers.tick()
    first, many = book.rows
    assert (first.times, first.findings) == (1, ("source:192.0.2.1",))
    assert (many.times, many.reason, many.status, many.outcome) == (499, "unauthenticated", 401, "refused")
    assert many.findings == ("source:192.0.2.1", "unauthenticated:399", "limit:100")
    assert book.told == [many]


async def test_each_minute_and_each_source_has_its_own_rows() -> None:
    book = Book()
    for _ in range(3):
        for source in ("192.0.2.1", "192.0.2.2"):
            for _ in range(10):
                await book.refuse(source)
        book.clock.advance(60)
        await book.strangers.tick()
    assert len(book.rows) == 12
    assert sum(row.times for row in book.rows) == 60


async def test_a_single_refusal_is_one_row_and_nothing_follows_it() -> None:
    book = Book()
    await book.refuse()
    book.clock.advance(60)
    await book.strangers.tick()
    assert len(book.rows) == 1


async def test_whoever_is_known_and_whatever_was_not_refused_keeps_a_row_of_its_own() -> None:
    book = Book()
    for _ in range(20):
        await book.refuse(caller=CALLER)
        await book.refuse(outcome=Outcome.COMPLETED)
        await book.refuse(outcome=Outcome.FAILED)
    assert len(book.rows) == 60


async def test_however_many_sources_there_are_the_rows_are_bounded() -> None:
    book = Book()
    for number in range(5000):
        await book.refuse(f"10.0.{number >> 8}.{number & 255}")
    book.clock.advance(60)
    await book.strangers.tick()
    assert len(book.rows) == 1002
    assert sum(row.times for row in book.rows) == 5000


async def test_what_is_counted_is_written_when_the_process_stops() -> None:
    book = Book()
    for _ in range(7):
        await book.refuse()
    await book.strangers.stop()
    assert [row.times for row in book.rows] == [1, 6]


async def test_a_ledger_that_takes_nothing_stops_nobody() -> None:
    book = Book()
    for source in ("192.0.2.1", "192.0.2.2"):
        await book.refuse(source)
        await book.refuse(source)
    book.gone = True
    await book.strangers.stop()
    assert len(book.told) == 2


def test_how_many_calls_a_row_stands_for_is_sealed_with_it() -> None:
    entry = Entry(id="e", service="api_gateway", started_at=1, times=499)
    body, _ = seal(row_of(entry, writer="w", seq=1, prev=""))
    assert opened(body).times == 499
