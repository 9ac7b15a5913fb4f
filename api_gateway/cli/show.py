"""What a command prints: one value, as JSON for programs or as lines and tables for people."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPE_WIDTH = 240
# No longer than an id or a moment: what is not broken up, however narrow the terminal is, so that it can be
# copied.
_WHOLE = 32


class Output:
    """A command's answer. `human` is only called when no JSON was asked for."""

    def __init__(self, value: Any, human: Callable[[Console], None], *, as_json: bool, code: int = 0) -> None:
        self.value = value
        self._human = human
        self._as_json = as_json
        self.code = code

    def show(self) -> None:
        if self._as_json:
            print(json.dumps(self.value, indent=2))
        else:
            self._human(_console())


def _console() -> Console:
    """As wide as the terminal; a pipe has no width, so nothing is folded for it."""
    console = Console(soft_wrap=True, highlight=False)
    return console if console.is_terminal else Console(soft_wrap=True, highlight=False, width=_PIPE_WIDTH)


def table(
    headings: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str
) -> Callable[[Console], None]:
    """Prints rows under headings, or one sentence where there are none."""

    def show(console: Console) -> None:
        if not rows:
            console.print(empty)
            return
        drawn = Table(box=None, pad_edge=False, header_style="bold")
        for heading in headings:
            right = heading in ("calls", "tokens in", "tokens out", "cost")
            drawn.add_column(heading, justify="right" if right else "left", overflow="fold")
        for row in rows:
            # Callers choose some of what stands in them: none of it is markup.
            drawn.add_row(*(Text(harmless(str(cell))) for cell in row))
        for place, column in enumerate(drawn.columns):
            widths = [cell_len(str(each)) for each in (column.header, *(row[place] for row in rows))]
            column.min_width = max((width for width in widths if width <= _WHOLE), default=0)
        console.print(drawn)

    return show


def lines(*text: str) -> Callable[[Console], None]:
    def show(console: Console) -> None:
        for line in text:
            console.print(harmless(line), markup=False)

    return show


def file(text: str) -> Callable[[Console], None]:
    """Prints what is written for programs, as it is."""
    return lambda _: print(text)


def harmless(text: str) -> str:
    """`text` with all written out that a terminal would obey, or that would not show: callers and models have
    written some of it.
    """
    return "".join(char if char.isprintable() or char in "\n\t" else f"\\u{{{ord(char):x}}}" for char in text)


def when(micros: int) -> str:
    """A moment, in microseconds since 1970, as a person reads it."""
    try:
        return datetime.fromtimestamp(micros / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return "no time that a clock can show"


def money(micros: int) -> str:
    """Micro-dollars as dollars, with as many digits as a fraction of a cent needs."""
    return f"${micros / 1_000_000:.6f}".rstrip("0").ljust(5, "0") if micros else "$0"
