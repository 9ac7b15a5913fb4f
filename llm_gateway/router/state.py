"""What this process knows of each deployment: how busy it is, how quick, how reliable, and whether it may be
asked.

The same model at the same provider is one deployment, whichever of our models it stands behind.
"""

import math
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from llm_gateway.ask import Ask
from llm_gateway.catalog import Target
from shared.attempts import BreakerRule, Circuit, CircuitState
from shared.clock import Clock
from shared.errors import UpstreamFault

# A stream's first byte is no matter of length; a whole answer comes when its last token is made.
SizeClass = Literal["stream", "short", "medium", "long", "unsaid"]
_SHORT, _MEDIUM = 256, 2_048
# How fast news outweigh what was known, and how old they may be before they are no news any more.
_LATENCY_SECONDS, _SUCCESS_SECONDS = 30.0, 60.0
_LEAST_WEIGHT = 0.1
FORGOTTEN_SECONDS = 300.0


def size_class(ask: Ask) -> SizeClass:
    if ask.stream:
        return "stream"
    if not ask.tokens_out:
        return "unsaid"
    return "short" if ask.tokens_out <= _SHORT else "medium" if ask.tokens_out <= _MEDIUM else "long"


class Average:
    """A mean that forgets: each sample weighs the more, the longer ago the one before it was."""

    __slots__ = ("_at", "_seconds", "_value")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._value = 0.0
        self._at = -math.inf

    def add(self, sample: float, now: float) -> None:
        if sample == self._value:
            self._at = now
            return
        passed = now - self._at
        if passed >= FORGOTTEN_SECONDS:
            self._value = sample
        else:
            weight = max(_LEAST_WEIGHT, passed / (passed + self._seconds))
            self._value += (sample - self._value) * weight
        self._at = now

    def read(self, now: float) -> float | None:
        """None where nothing is known, or nothing that is still worth something."""
        return self._value if now - self._at < FORGOTTEN_SECONDS else None


class Deployment:
    """Its calls report here: `began`, then `answered` or one of `failed`, `refused` and `abandoned`; after
    an answer `ended`, or `broke` where it was cut off.
    """

    # fmt: off
    __slots__ = (
        "_clock", "_latencies", "_success", "calls", "changed", "circuit", "failures", "in_flight",
        "last_error", "last_error_at", "last_model", "name",
    )
    # fmt: on

    def __init__(self, name: str, circuit: Circuit, clock: Clock) -> None:
        self.name = name
        self.circuit = circuit
        self.in_flight = self.calls = self.failures = self.changed = 0
        self.last_error = self.last_model = ""
        self.last_error_at = 0.0
        self._clock = clock
        self._latencies: dict[SizeClass, Average] = {}
        self._success = Average(_SUCCESS_SECONDS)

    def began(self) -> float:
        self.in_flight += 1
        self.calls += 1
        return self._clock.monotonic()

    def answered(self, began: float, size: SizeClass) -> None:
        now = self._clock.monotonic()
        latency = self._latencies.get(size)
        if latency is None:
            latency = self._latencies[size] = Average(_LATENCY_SECONDS)
        latency.add(now - began, now)
        self._success.add(1.0, now)
        self.circuit.succeeded(now)

    def faulted(self, error: UpstreamFault) -> None:
        """It did not answer: because it could not, or because of the request."""
        if error.retryable:
            self.failed(error.reason, error.retry_after)
        else:
            self.refused()

    def failed(self, why: str, retry_after: float | None) -> None:
        self.in_flight -= 1
        self._fault(why)
        self.circuit.failed(retry_after)

    def refused(self) -> None:
        """It said no, and is well enough to say it."""
        self.in_flight -= 1
        self._success.add(1.0, self._clock.monotonic())
        self.circuit.succeeded()

    def abandoned(self) -> None:
        self.in_flight -= 1
        self.circuit.abandoned()

    def ended(self) -> None:
        self.in_flight -= 1

    def broke(self, why: str) -> None:
        """Its answer was cut off on its way. It was counted as a success when it began."""
        self.in_flight -= 1
        self._fault(why)
        self.circuit.failed()

    def latency(self, size: SizeClass) -> float | None:
        """Seconds to the first byte."""
        known = self._latencies.get(size)
        return known.read(self._clock.monotonic()) if known is not None else None

    @property
    def availability(self) -> float:
        """The share of calls that it answers; 1 where nothing is known."""
        known = self._success.read(self._clock.monotonic())
        return 1.0 if known is None else known

    def shown(self) -> "Shown":
        latencies = {size: self.latency(size) for size in self._latencies}
        return Shown(
            name=self.name,
            circuit=self.circuit.state,
            opens_in=self.circuit.opens_in(),
            in_flight=self.in_flight,
            calls=self.calls,
            failures=self.failures,
            availability=self.availability,
            first_byte_seconds={size: known for size, known in latencies.items() if known is not None},
            last_error=self.last_error,
            last_error_at=self.last_error_at,
            last_model=self.last_model,
        )

    def _fault(self, why: str) -> None:
        self.failures += 1
        self.last_error, self.last_error_at = why, self._clock.now()
        self._success.add(0.0, self._clock.monotonic())


class Shown(Struct, frozen=True, kw_only=True):
    """One deployment as an operator sees it. `last_error_at` is in seconds since 1970, 0 for never."""

    name: str
    circuit: CircuitState
    opens_in: float
    in_flight: int
    calls: int
    failures: int
    availability: float
    first_byte_seconds: dict[SizeClass, float]
    last_error: str
    last_error_at: float
    last_model: str


class State:
    """Every deployment that was asked since this process began."""

    def __init__(self, clock: Clock, rule: BreakerRule | None = None) -> None:
        self._clock = clock
        self._rule = rule or BreakerRule()
        self._deployments: dict[str, Deployment] = {}

    def of(self, target: Target) -> Deployment:
        name = target.name
        found = self._deployments.get(name)
        if found is None:
            found = self._deployments[name] = Deployment(name, Circuit(self._clock, self._rule), self._clock)
        return found

    def known(self) -> Iterable[Deployment]:
        return self._deployments.values()

    def state(self) -> list[Shown]:
        """All of it, by name."""
        return [self._deployments[name].shown() for name in sorted(self._deployments)]

    def shut(self) -> int:
        """How many are left alone at the moment."""
        return sum(each.circuit.state != "closed" for each in self._deployments.values())

    def changed(self) -> int:
        """How many answers came from another model than was pinned."""
        return sum(each.changed for each in self._deployments.values())
