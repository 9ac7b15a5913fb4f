"""The one source of time, so that tests can hand in another."""

import time
from collections.abc import Callable


class Clock:
    """Wall time for records and tokens, monotonic time for durations."""

    def now_us(self) -> int:
        """Microseconds since 1970."""
        return time.time_ns() // 1000

    # Without a frame around them: every call asks a dozen times.
    now: Callable[[], float] = staticmethod(time.time)
    """Seconds since 1970."""

    monotonic: Callable[[], float] = staticmethod(time.monotonic)
    """Seconds since some fixed point."""
