"""A clock that stands still until a test moves it."""

from shared.clock import Clock


class FakeClock(Clock):
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
