"""Counts what an exporter is given and what it takes: the SDK drops silently when its queue is full or its
collector gone.
"""

from collections.abc import Sequence
from typing import Any


class Intake:
    """Stands before an exporter. `admits` is asked for each item before it is offered to the SDK's queue,
    which holds `most`; it refuses what the SDK would drop.
    """

    def __init__(self, exporter: Any, most: int) -> None:
        self._exporter = exporter
        self._most = most
        self._offered = 0
        self._handled = 0
        # One for each thread that counts.
        self._refused = self._failed = 0

    @property
    def lost(self) -> int:
        return self._refused + self._failed

    def admits(self) -> bool:
        if self._offered - self._handled >= self._most:
            self._refused += 1
            return False
        self._offered += 1
        return True

    def export(self, batch: Sequence[Any], /) -> Any:
        taken = False
        try:
            result = self._exporter.export(batch)
            taken = result.name == "SUCCESS"
        finally:
            self._handled += len(batch)
            if not taken:
                self._failed += len(batch)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        flushed: bool = self._exporter.force_flush(timeout_millis)
        return flushed
