"""Trying targets in order until one answers, with a breaker per target. Only inner gateways use it, before
the first byte.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Annotated, Literal, TypeVar

from msgspec import Meta, Struct

from shared.clock import Clock
from shared.errors import Unavailable, UpstreamFault

Target = TypeVar("Target")
Answer = TypeVar("Answer")
CircuitState = Literal["closed", "paused", "open", "half_open"]

Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(gt=0, le=1)]
Seconds = Annotated[float, Meta(gt=0)]
# However long somebody asks to be left alone: that is how long it is believed.
_LONGEST_PAUSE = 300.0


class BreakerRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a target is left alone: after `consecutive` failures in a row, or when of at least
    `minimum_calls` within about `window_seconds` the share `failure_rate` has failed. Each probe that fails
    doubles the pause, up to `longest_cooldown_seconds`.
    """

    consecutive: Count = 5
    failure_rate: Share = 0.5
    minimum_calls: Count = 20
    window_seconds: Seconds = 30.0
    cooldown_seconds: Seconds = 10.0
    longest_cooldown_seconds: Seconds = 120.0


class Circuit:
    """Whether one target may be asked. Who was admitted reports back with exactly one of `succeeded`,
    `failed` and `abandoned`.

    Open, it lets nobody through until its cooldown is over, then one probe. A target that says itself when to
    come back (`retry_after`) is paused that long, and open to all after it.
    """

    # fmt: off
    __slots__ = (
        "_before", "_calls", "_clock", "_cooldown", "_failures", "_in_a_row", "_open", "_probing", "_rule",
        "_shut_until", "_turns_at",
    )
    # fmt: on

    def __init__(self, clock: Clock, rule: BreakerRule) -> None:
        self._clock = clock
        self._rule = rule
        self._open = self._probing = False
        self._shut_until = 0.0
        self._cooldown = rule.cooldown_seconds
        self._in_a_row = self._calls = self._failures = 0
        self._before = (0, 0)
        self._turns_at = clock.monotonic() + rule.window_seconds / 2

    @property
    def state(self) -> CircuitState:
        waits = self.opens_in() > 0
        if self._open:
            return "open" if waits and not self._probing else "half_open"
        return "paused" if waits else "closed"

    def admits(self) -> bool:
        if not self._shut_until:
            return True
        now = self._clock.monotonic()
        if now < self._shut_until:
            return False
        if self._open:
            # The probe: everybody else waits until it has reported, or for another cooldown.
            self._probing, self._shut_until = True, now + self._cooldown
        else:
            self._shut_until = 0.0
        return True

    def succeeded(self, now: float | None = None) -> None:
        """`now` on our clock, from who has just looked at it."""
        self._in_a_row = 0
        now = self._clock.monotonic() if now is None else now
        if now >= self._turns_at:
            self._turn(now)
        self._calls += 1
        if self._probing:
            self._close()

    def failed(self, retry_after: float | None = None) -> None:
        """`retry_after` in seconds."""
        now, rule = self._clock.monotonic(), self._rule
        if now >= self._turns_at:
            self._turn(now)
        self._in_a_row += 1
        self._calls += 1
        self._failures += 1
        if self._probing:
            self._cooldown = min(self._cooldown * 2, rule.longest_cooldown_seconds)
            self._probing, self._shut_until = False, now + self._cooldown
        elif not self._open and (self._in_a_row >= rule.consecutive or self._fails_often()):
            self._open, self._shut_until = True, now + self._cooldown
        if retry_after is not None:
            self._shut_until = max(self._shut_until, now + min(retry_after, _LONGEST_PAUSE))

    def abandoned(self) -> None:
        """Nothing can be said: its caller left, or it was never really asked. The next one may probe."""
        if self._probing:
            self._probing, self._shut_until = False, self._clock.monotonic()

    def opens_in(self) -> float:
        return max(0.0, self._shut_until - self._clock.monotonic()) if self._shut_until else 0.0

    def _close(self) -> None:
        """What was known of the time before says nothing of now."""
        self._open = self._probing = False
        self._shut_until = 0.0
        self._cooldown = self._rule.cooldown_seconds
        self._in_a_row = self._calls = self._failures = 0
        self._before = (0, 0)

    def _turn(self, now: float) -> None:
        """Two half windows are counted: the one that is being filled, and the one before it."""
        half = self._rule.window_seconds / 2
        self._before = (self._calls, self._failures) if now < self._turns_at + half else (0, 0)
        self._calls = self._failures = 0
        self._turns_at = now + half

    def _fails_often(self) -> bool:
        calls, failures = self._calls + self._before[0], self._failures + self._before[1]
        return calls >= self._rule.minimum_calls and failures >= calls * self._rule.failure_rate


class Breaker:
    """A circuit for each name, made when it is first asked for."""

    def __init__(self, clock: Clock, rule: BreakerRule | None = None) -> None:
        self._clock = clock
        self._rule = rule or BreakerRule()
        self._circuits: dict[str, Circuit] = {}

    def of(self, name: str) -> Circuit:
        circuit = self._circuits.get(name)
        if circuit is None:
            circuit = self._circuits[name] = Circuit(self._clock, self._rule)
        return circuit


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
        circuit = breaker.of(name(target))
        if not circuit.admits():
            continue
        try:
            answer = await attempt(target)
        except UpstreamFault as error:
            if not error.retryable:
                # It is well enough to say no.
                circuit.succeeded()
                raise
            circuit.failed(error.retry_after)
            # Without its way here, which leads through this frame.
            last = error.with_traceback(None)
        except BaseException:
            circuit.abandoned()
            raise
        else:
            circuit.succeeded()
            return answer
    if last is not None:
        raise last
    raise nobody(breaker.of(name(target)) for target in targets)


def nobody(circuits: Iterable[Circuit]) -> Unavailable:
    """What is told where no circuit admits anybody."""
    soonest = min((circuit.opens_in() for circuit in circuits), default=1.0)
    return Unavailable("nothing that could answer this is healthy right now", retry_after=soonest)
