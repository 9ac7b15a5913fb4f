"""What happens when an entry closes: it is counted, exported where somebody wants that, and its line is
written. Nothing else in a request's path logs.
"""

import logging
import sys
import traceback as tracebacks
from typing import Any, Protocol

import msgspec

from shared.identity.principal import Trace
from shared.ledger.entry import Entry
from shared.telemetry.meters import Meters


class Export(Protocol):
    """Where closed entries go besides the ledger. Nothing in here may wait or raise."""

    lost: int

    def count(self, entry: Entry) -> None: ...

    def send(self, entry: Entry, parent: Trace | None, *, sampled: bool) -> None: ...

    def shutdown(self) -> None: ...


class Telemetry:
    """`sample` is the share of new traces that are exported; a trace that arrives sampled stays sampled.
    Whoever has a number to show on `/metrics` puts it into `gauges`, by its name.
    """

    def __init__(
        self, service: str, *, sample: float = 0.0, export: Export | None = None, log: bool = False
    ) -> None:
        self.service = service
        self.sample = sample if export is not None else 0.0
        self.gauges: dict[str, Any] = {}
        self._export = export
        self._log = logging.getLogger("gatestack")
        self._lines = log
        self._meters = Meters(service)
        if export is not None:
            self.gauges["gatestack_telemetry_lost"] = lambda: export.lost

    def end(self, entry: Entry, parent: Trace | None, *, sampled: bool) -> None:
        """Counts the call, exports it, writes its line when asked to."""
        self.count(entry)
        self.tell(entry, parent, sampled=sampled)

    def count(self, entry: Entry) -> None:
        """Counts a call of which nothing else is said, because another entry speaks for it too."""
        self._meters.count(entry)
        if self._export is not None:
            self._export.count(entry)

    def tell(self, entry: Entry, parent: Trace | None = None, *, sampled: bool = False) -> None:
        """What `end` does, for an entry whose calls have been counted."""
        if self._export is not None:
            self._export.send(entry, parent, sampled=sampled)
        if self._lines:
            sys.stdout.write(msgspec.json.encode(entry).decode() + "\n")

    def fault(self, entry: Entry, error: Exception) -> None:
        """A mistake of ours: the one thing that deserves a traceback."""
        text = "".join(tracebacks.format_exception(error))
        self._log.error("call %s failed in %s: %s", entry.id, self.service, text)

    def cause(self, entry: Entry, cause: BaseException | str) -> None:
        self._log.debug("call %s: %r", entry.id, cause)

    def metrics(self) -> bytes:
        return self._meters.page(self.gauges)

    def close(self) -> None:
        if self._export is not None:
            self._export.shutdown()
