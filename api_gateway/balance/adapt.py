"""How many requests a service can do at once, as its answers tell: where they take longer than they do while
it has time for them, fewer are let in. Pure: it is told the time.

Additive increase while all places are taken, decrease by how much slower answers have become, as in TCP Vegas
(Brakmo and Peterson, 1995). What they take at their best is measured anew every minute with a third of the
places, since services change.
"""

import math
from statistics import median

_WINDOW_SECONDS = 1.0
_LEAST_ANSWERS = 10
_FIRST = 4
# So much slower than at best is still no queue.
_TOLERANCE = 1.25
_FASTEST_FALL = 0.5
_MEASURED_AFTER = 60  # windows
# Of two windows the first still has answers to those who were let in before.
_MEASURED_FOR = 2
_MEASURED_WITH = 1 / 3


class Adapting:
    """`limit` is how many may run at once, never more than `most`."""

    def __init__(self, most: int) -> None:
        self.limit = min(_FIRST, most)
        self._most = most
        self._places = float(self.limit)
        self._best = math.inf
        self._climbing = True
        self._windows = 0
        self._measuring = 0
        self._since: float | None = None
        self._answers: list[float] = []
        self._taken = False

    def took(self, seconds: float, *, now: float, taken: bool) -> None:
        """One answer has taken `seconds`; `taken`: were all places? `now` is of any clock that never goes
        back.
        """
        if self._since is None:
            self._since = now
        self._answers.append(seconds)
        self._taken = self._taken or taken
        if now - self._since >= _WINDOW_SECONDS and len(self._answers) >= _LEAST_ANSWERS:
            self._close(median(self._answers))
            self._answers, self._taken, self._since = [], False, now

    def _close(self, seconds: float) -> None:
        """A window is over, in which answers have taken so long."""
        self._windows += 1
        if self._measuring:
            self._measuring -= 1
            if not self._measuring:
                self._best = seconds
        else:
            self._best = min(self._best, seconds)
            self._move(_TOLERANCE * self._best / max(seconds, 1e-9))
            if self._windows % _MEASURED_AFTER == 0:
                self._measuring = _MEASURED_FOR
        self.limit = max(1, int(self._places * (_MEASURED_WITH if self._measuring else 1)))

    def _move(self, ease: float) -> None:
        """`ease` is below 1 where answers have become slower."""
        if ease < 1:
            self._climbing = False
        room = 0.0
        if self._taken:
            room = self._places if self._climbing else math.sqrt(self._places)
        kept = self._places * min(1.0, max(_FASTEST_FALL, ease))
        self._places = min(float(self._most), max(1.0, kept + room))
