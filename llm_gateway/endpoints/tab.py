"""What one call of an endpoint has used, written into its entry when the call ends, however it ends."""

from llm_gateway.bill import ESTIMATED, UNPRICED
from llm_gateway.catalog import Target
from llm_gateway.endpoints.endpoint import Inquiry
from llm_gateway.formats import StreamReader
from llm_gateway.prices import UNKNOWN, cost
from shared.clock import Clock
from shared.ledger.entry import Entry, Usage


class Tab:
    """The provider's count if there is one, else what the request alone tells, else a guess that says so."""

    def __init__(self, entry: Entry, inquiry: Inquiry, clock: Clock) -> None:
        self._entry = entry
        self._inquiry = inquiry
        self._clock = clock
        self._began = clock.monotonic()
        self._target: Target | None = None
        self._reader: StreamReader | None = None
        self._counted: Usage | None = None

    def open(self, target: Target) -> None:
        """A provider has been asked: who leaves now leaves it at work."""
        self._target = target

    def void(self) -> None:
        """It failed without an answer; nothing is owed."""
        self._target = self._reader = self._counted = None

    def count(self, usage: Usage | None) -> None:
        self._counted = usage

    def read_along(self, reader: StreamReader) -> None:
        self._reader = reader

    def elapsed_us(self) -> int:
        return int((self._clock.monotonic() - self._began) * 1_000_000)

    def write(self) -> None:
        """Only the first call writes: what comes after it has not been used by the caller."""
        target, self._target = self._target, None
        entry = self._entry
        entry.upstream_us = entry.upstream_us or self.elapsed_us()
        if target is None:
            return
        usage = self._counted or (self._reader.usage if self._reader is not None else None)
        usage = usage or self._inquiry.known or self._guess()
        if target.price is UNKNOWN:
            entry.findings += (UNPRICED,)
        entry.usage, entry.cost_micros = usage, cost(target.price, usage)

    def _guess(self) -> Usage:
        self._entry.findings += (ESTIMATED,)
        made = self._reader.estimate() if self._reader is not None else 0
        return Usage(tokens_in=self._inquiry.tokens_in, tokens_out=made, units=self._inquiry.units)
