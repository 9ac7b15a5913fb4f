"""Spans, metrics and the log line: written once a request, when its entry closes. The only door to
OpenTelemetry.
"""

from importlib import import_module
from pathlib import Path

from shared.config.sections import TelemetrySection
from shared.telemetry.recorder import Export, Telemetry

__all__ = ["Export", "Telemetry", "open_telemetry"]


def open_telemetry(service: str, section: TelemetrySection, file: Path) -> Telemetry:
    """`file` is where the exporter `file` writes to."""
    export: Export | None = None
    if section.exporter != "none":
        # 60 ms and 20 MB that a process without an exporter need not pay.
        export = import_module("shared.telemetry.otel").Otel(service, section, file)
    return Telemetry(service, sample=section.sample, export=export, log=section.log)
