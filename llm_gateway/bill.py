"""What one call has used, written into its entry when the call ends, however it ends: by the provider's count
if there is one, by a guess that says so if there is none.
"""

from llm_gateway.catalog import Target
from llm_gateway.chat import Ask
from llm_gateway.formats import StreamReader
from llm_gateway.prices import cost
from shared.clock import Clock
from shared.ledger.entry import Entry, Usage

ESTIMATED = "usage:estimated"
_BYTES_PER_TOKEN = 4


class Bill:
    def __init__(self, entry: Entry, ask: Ask, clock: Clock) -> None:
        self._entry = entry
        self._ask = ask
        self._clock = clock
        self._began = clock.monotonic()
        self._target: Target | None = None
        self._usage: Usage | None = None
        self._reader: StreamReader | None = None
        self._guess = 0

    def open(self, target: Target) -> None:
        """A provider has been asked: who leaves now leaves it working on the input."""
        self._target = target

    def void(self) -> None:
        """It failed without an answer; nothing is owed."""
        self._target = None
        self._reader = None

    def whole(self, usage: Usage | None, size: int) -> None:
        """The reply is here, `size` bytes of it."""
        self._usage, self._guess = usage, size // _BYTES_PER_TOKEN

    def streaming(self, reader: StreamReader) -> None:
        self._reader = reader

    def write(self) -> None:
        """Only the first call writes: what comes after it has not been used by the caller."""
        target, self._target = self._target, None
        entry = self._entry
        entry.upstream_us = entry.upstream_us or int((self._clock.monotonic() - self._began) * 1_000_000)
        if target is None:
            return
        usage = self._reader.usage if self._reader is not None else self._usage
        if usage is None:
            made = self._reader.estimate() if self._reader is not None else self._guess
            usage = Usage(tokens_in=self._ask.tokens_in, tokens_out=made)
            entry.findings += (ESTIMATED,)
        entry.usage, entry.cost_micros = usage, cost(target.price, usage)
