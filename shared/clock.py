"""The one source of time, so that tests can hand in another."""

import time


class Clock:
    """Wall time for records and tokens, monotonic time for durations."""

    def now_us(self) -> int:
        """Microseconds since 1970."""
        return time.time_ns() // 1000

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some fixed point."""
        return time.monotonic()
