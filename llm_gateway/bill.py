"""What one call has used, written into its entry when the call ends, however it ends: by the provider's count
if there is one, by a guess that says so if there is none.
"""

from typing import Protocol

from llm_gateway.ask import Ask
from llm_gateway.catalog import Target
from llm_gateway.prices import UNKNOWN, cost
from shared.clock import Clock
from shared.ledger.entry import Entry, Usage

ESTIMATED = "usage:estimated"
UNPRICED = "price:unknown"
# What makes a call dearer. Not what makes it cheaper: whether it was served so only the provider could tell.
_SURCHARGED = frozenset(("priority",))
_BYTES_PER_TOKEN = 4


class Metered(Protocol):
    """A stream that is read along: the provider's own count once it has come, until then a guess."""

    @property
    def usage(self) -> Usage | None: ...

    def estimate(self) -> int:
        """Output tokens so far."""
        ...


class Bill:
    def __init__(self, entry: Entry, ask: Ask, clock: Clock) -> None:
        self._entry = entry
        self._ask = ask
        self._clock = clock
        self._began = clock.monotonic()
        self._target: Target | None = None
        self._usage: Usage | None = None
        self._reader: Metered | None = None
        self._guess = 0
        self._written = False

    def open(self, target: Target) -> None:
        """A provider has been asked: who leaves now leaves it working on the input."""
        self._target = target
        if not self._written:
            self._usage = self._reader = None
            self._guess = 0

    def void(self) -> None:
        """It failed without an answer; nothing is owed. A whole reply that was counted has been made, and is
        paid for unless another target is asked: what a guard says of it is no matter of the provider's.
        """
        if self._usage is None:
            self._target = None
            self._reader = None

    def whole(self, usage: Usage | None, size: int) -> None:
        """The reply is here, `size` bytes of it."""
        self._usage, self._guess = usage, size // _BYTES_PER_TOKEN

    def streaming(self, reader: Metered) -> None:
        self._reader = reader

    def elapsed_us(self) -> int:
        """Microseconds since the call went on its way to providers."""
        return int((self._clock.monotonic() - self._began) * 1_000_000)

    def write(self) -> None:
        """Only the first call writes: what comes after it has not been used by the caller."""
        target, self._target = self._target, None
        self._written = True
        entry = self._entry
        entry.upstream_us = entry.upstream_us or self.elapsed_us()
        if target is None:
            return
        usage = self._reader.usage if self._reader is not None else self._usage
        if usage is None:
            made = self._reader.estimate() if self._reader is not None else self._guess
            usage = Usage(tokens_in=self._ask.tokens_in, tokens_out=made)
            entry.findings += (ESTIMATED,)
        if target.price is UNKNOWN:
            entry.findings += (UNPRICED,)
        entry.usage, entry.cost_micros = usage, cost(target.price, usage, service_of(self._ask))


def service_of(ask: Ask) -> str:
    """The service class that the caller asked for, where that has a price of its own."""
    place = ask.spans.get("service_tier")
    name = ask.body[slice(*place)].strip(b'"').decode("latin-1") if place is not None else ""
    return name if name in _SURCHARGED else ""
