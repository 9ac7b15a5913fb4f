"""How far something has come is told now and then, and leaves no trace on a terminal."""

import io

from api_gateway.cli.progress import Progress
from tests.support.clock import FakeClock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_elsewhere_a_line_is_written_now_and_then() -> None:
    log, clock = io.StringIO(), FakeClock()
    progress = Progress(log, clock)
    for rows in range(10_000, 70_000, 10_000):
        clock.advance(5)
        progress("rows of w", rows)
    progress.end()
    assert log.getvalue().splitlines() == [
        "20,000 rows, 2,000 a second: rows of w",
        "40,000 rows, 2,000 a second: rows of w",
        "60,000 rows, 2,000 a second: rows of w",
    ]


def test_on_a_terminal_the_line_is_written_anew_and_cleared() -> None:
    terminal, clock = Terminal(), FakeClock()
    progress = Progress(terminal, clock)
    for stage in ("rows of a_long_name", "sums"):
        clock.advance(1)
        progress(stage, 1000)
    progress.end()
    first, second, cleared = terminal.getvalue().split("\r")[1:4]
    assert first == "1,000 rows, 1,000 a second: rows of a_long_name"
    assert second.rstrip() == "1,000 rows, 500 a second: sums"
    assert len(second) == len(first)
    assert not cleared.strip()


def test_what_is_soon_done_says_nothing() -> None:
    log = io.StringIO()
    progress = Progress(log, FakeClock())
    progress("rows of w", 10)
    progress.end()
    assert log.getvalue() == ""
