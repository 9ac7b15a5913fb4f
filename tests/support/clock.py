"""Clocks that a test moves."""

from shared.clock import Clock


class FakeClock(Clock):
    """Stands still until it is moved."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self.seconds = start

    def now_us(self) -> int:
        return int(self.seconds * 1_000_000)

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


class MovedClock(Clock):
    """The machine's, and as far ahead of it as it was moved: for services that have to live on."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now_us(self) -> int:
        return super().now_us() + int(self._ahead * 1_000_000)

    def now(self) -> float:
        return super().now() + self._ahead

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds
