"""Trying targets in order until one answers, with a breaker per target. Only inner gateways use it, before
the first byte.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from shared.clock import Clock
from shared.errors import Unavailable, UpstreamFault

Target = TypeVar("Target")
Answer = TypeVar("Answer")


class Breaker:
    """Counts failures in a row by name. After `threshold` a name is left alone for `cooldown` seconds, then
    one probe may pass.
    """

    def __init__(self, clock: Clock, *, threshold: int = 5, cooldown: float = 10.0) -> None:
        self._clock = clock
        self._threshold = threshold
        self._cooldown = cooldown
        self._failures: dict[str, int] = {}
        self._closed_until: dict[str, float] = {}

    def admits(self, name: str) -> bool:
        until = self._closed_until.get(name)
        if until is None:
            return True
        if self._clock.monotonic() < until:
            return False
        # The probe: everybody else waits until it has reported, or for another cooldown.
        self._closed_until[name] = self._clock.monotonic() + self._cooldown
        return True

    def succeeded(self, name: str) -> None:
        if name in self._failures:
            del self._failures[name]
            self._closed_until.pop(name, None)

    def failed(self, name: str, retry_after: float | None) -> None:
        """`retry_after`, in seconds, closes the name at once for that long: it said itself when to come
        back.
        """
        self._failures[name] = count = self._failures.get(name, 0) + 1
        if retry_after is not None:
            self._closed_until[name] = self._clock.monotonic() + min(retry_after, 300.0)
        elif count >= self._threshold:
            self._closed_until[name] = self._clock.monotonic() + self._cooldown

    def opens_in(self, name: str) -> float:
        return max(0.0, self._closed_until.get(name, 0.0) - self._clock.monotonic())


async def first_success(
    targets: Sequence[Target],
    attempt: Callable[[Target], Awaitable[Answer]],
    *,
    breaker: Breaker,
    name: Callable[[Target], str],
) -> Answer:
    """The first target's answer that is no fault worth another try.

    Raises the last UpstreamFault when all fail, Unavailable when the breaker admits none of them.
    """
    last: UpstreamFault | None = None
    for target in targets:
        if not breaker.admits(name(target)):
            continue
        try:
            answer = await attempt(target)
        except UpstreamFault as error:
            if not error.retryable:
                raise
            breaker.failed(name(target), error.retry_after)
            last = error
        else:
            breaker.succeeded(name(target))
            return answer
    if last is not None:
        raise last
    soonest = min((breaker.opens_in(name(target)) for target in targets), default=1.0)
    raise Unavailable("nothing that could answer this is healthy right now", retry_after=soonest)
