"""May the same target be tried again, and after what pause? Retries never multiply: however much fails, a
process makes only so many of them for the calls that it has.
"""

from llm_gateway.router.ranking import Draw
from llm_gateway.router.section import Retryable, RetryBudgetSection, RetrySection
from shared.clock import Clock
from shared.errors import UpstreamFault, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable

# A burst of failures may use up what ten seconds of calm have saved.
_SAVED_SECONDS = 10.0
_SAVED_CALLS = 100
# Timers may be a little early, and who comes early is turned away.
_LATE_ENOUGH = 0.005


class RetryBudget:
    """Each call saves a share of a retry, and so does each second."""

    def __init__(self, section: RetryBudgetSection, clock: Clock) -> None:
        self._section = section
        self._clock = clock
        self._most = section.per_second * _SAVED_SECONDS + section.share * _SAVED_CALLS
        self._left = section.per_second * _SAVED_SECONDS
        self._at = clock.monotonic()

    @property
    def left(self) -> float:
        return self._left

    def called(self) -> None:
        self._left = min(self._most, self._left + self._section.share)

    def take(self) -> bool:
        now = self._clock.monotonic()
        self._left = min(self._most, self._left + (now - self._at) * self._section.per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def pause(error: UpstreamFault, tries: int, section: RetrySection, draw: Draw) -> float | None:
    """Seconds to wait before the same target is asked again after `tries` failures; None where it is not
    worth it. A target that says when it wants to be asked is asked no sooner.
    """
    if tries > section.per_target or kind_of(error) not in section.after:
        return None
    wanted = section.backoff_seconds * 2 ** (tries - 1) * (0.5 + draw() / 2)
    if error.retry_after is not None:
        wanted = max(wanted, error.retry_after + _LATE_ENOUGH)
    return wanted if wanted <= section.longest_wait_seconds else None


def kind_of(error: UpstreamFault) -> Retryable | None:
    if isinstance(error, UpstreamTimeout):
        return "timeout"
    if isinstance(error, UpstreamUnreachable):
        return "connection"
    if isinstance(error, UpstreamRefused):
        status = error.upstream_status
        if status == 429:
            return "rate_limit"
        return "server_error" if status >= 500 and error.retryable else None
    # Garbage, or cut in the middle: it may well have done all of the work.
    return "server_error"
