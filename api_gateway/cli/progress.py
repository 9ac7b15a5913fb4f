"""How far something long has come, on standard error: a line that writes itself anew on a terminal, a line
now and then elsewhere.
"""

import sys
from typing import TextIO

from shared.clock import Clock

_TERMINAL_SECONDS, _LOG_SECONDS = 0.5, 10.0


class Progress:
    """Nothing is said of what is done before the first line would be due. `end` it before anything else is
    written.
    """

    def __init__(self, to: TextIO | None = None, clock: Clock | None = None) -> None:
        self._to = to or sys.stderr
        self._clock = clock or Clock()
        self._alone = self._to.isatty()
        self._every = _TERMINAL_SECONDS if self._alone else _LOG_SECONDS
        self._began = self._said_at = self._clock.monotonic()
        self._said = ""

    def __call__(self, stage: str, rows: int) -> None:
        now = self._clock.monotonic()
        if now - self._said_at < self._every:
            return
        self._said_at = now
        line = f"{rows:,} rows, {rows / (now - self._began):,.0f} a second: {stage}"
        blank = " " * (len(self._said) - len(line))
        self._to.write(f"\r{line}{blank}" if self._alone else f"{line}\n")
        self._to.flush()
        self._said = line

    def end(self) -> None:
        if self._alone and self._said:
            self._to.write("\r" + " " * len(self._said) + "\r")
            self._to.flush()
