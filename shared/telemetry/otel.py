"""Spans, metrics and log records through the OpenTelemetry SDK, made when their entry closes, with the ids
the entry already has. Loaded only where something is exported.
"""

from pathlib import Path
from typing import Any, TextIO, cast

import msgspec
from opentelemetry import trace as api
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator

from shared.config.sections import TelemetrySection
from shared.identity.principal import Trace
from shared.ledger.entry import Entry
from shared.telemetry.conventions import SCHEMA_URL, failed, told
from shared.telemetry.intake import Intake
from shared.telemetry.measures import INSTRUMENTS, Instrument, measures

_SCOPE = "gatestack"
_TRACES = "/v1/traces"
_DELAY_MS = 500
_QUEUED = 2048


class Otel:
    """All that one process exports, in whichever form it is configured."""

    def __init__(self, service: str, section: TelemetrySection, file: Path) -> None:
        resource = Resource.create({"service.name": service})
        otlp = section.exporter == "otlp"
        self._file = file.open("a", buffering=1) if section.exporter == "file" else None
        self._spans = _Spans(_span_exporter(section, self._file), resource, section)
        self._metrics = _Metrics(resource, section) if otlp else None
        self._logs = _Logs(resource, section) if otlp and section.logs else None

    @property
    def lost(self) -> int:
        """Spans and log records that nobody took."""
        return self._spans.lost + (self._logs.lost if self._logs is not None else 0)

    def count(self, entry: Entry) -> None:
        if self._metrics is not None:
            self._metrics.send(entry)

    def send(self, entry: Entry, parent: Trace | None, *, sampled: bool) -> None:
        if sampled:
            self._spans.send(entry, parent)
        if self._logs is not None:
            self._logs.send(entry)

    def shutdown(self) -> None:
        for part in (self._spans, self._metrics, self._logs):
            if part is not None:
                part.shutdown()
        if self._file is not None:
            self._file.close()


class _Ids(IdGenerator):
    """Hands out the ids of the entry that is being exported."""

    trace_id = span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class _Spans:
    def __init__(self, exporter: SpanExporter, resource: Resource, section: TelemetrySection) -> None:
        self._semconv = section.semconv
        self._ids = _Ids()
        self._intake = Intake(exporter, _QUEUED)
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                cast(SpanExporter, self._intake), max_queue_size=_QUEUED, schedule_delay_millis=_DELAY_MS
            )
        )
        self._tracer = self._provider.get_tracer(_SCOPE, schema_url=_schema(section))

    @property
    def lost(self) -> int:
        return self._intake.lost

    def send(self, entry: Entry, parent: Trace | None) -> None:
        if not self._intake.admits():
            return
        self._ids.trace_id, self._ids.span_id = int(entry.trace_id, 16), int(entry.span_id, 16)
        start_ns = entry.started_at * 1000
        about = told(entry, self._semconv)
        span = self._tracer.start_span(
            about.name,
            context=_within(parent),
            kind=api.SpanKind.CLIENT if about.client else api.SpanKind.SERVER,
            attributes=about.attributes,
            start_time=start_ns,
        )
        if failed(entry):
            span.set_status(api.StatusCode.ERROR, entry.reason)
        span.end(start_ns + entry.duration_us * 1000)

    def shutdown(self) -> None:
        self._provider.shutdown()


class _Metrics:
    def __init__(self, resource: Resource, section: TelemetrySection) -> None:
        self._semconv = section.semconv
        reader = PeriodicExportingMetricReader(
            OTLPMetricExporter(endpoint=_endpoint(section, "metrics")),
            export_interval_millis=section.metrics_seconds * 1000,
        )
        self._provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        self._meter = self._provider.get_meter(_SCOPE, schema_url=_schema(section))
        self._record = {name: self._made(name, made) for name, made in INSTRUMENTS.items()}

    def send(self, entry: Entry) -> None:
        for measure in measures(entry, self._semconv):
            self._record[measure.name](measure.amount, measure.labels)

    def shutdown(self) -> None:
        self._provider.shutdown()

    def _made(self, name: str, made: Instrument) -> Any:
        if made.kind == "counter":
            return self._meter.create_counter(name, made.unit, made.about).add
        return self._meter.create_histogram(
            name, made.unit, made.about, explicit_bucket_boundaries_advisory=made.bounds
        ).record


class _Logs:
    """The line of each call as a log record; it carries the ids of its span."""

    def __init__(self, resource: Resource, section: TelemetrySection) -> None:
        self._semconv = section.semconv
        self._intake = Intake(OTLPLogExporter(endpoint=_endpoint(section, "logs")), _QUEUED)
        self._provider = LoggerProvider(resource, shutdown_on_exit=False)
        self._provider.add_log_record_processor(
            BatchLogRecordProcessor(
                cast(LogRecordExporter, self._intake), max_queue_size=_QUEUED, schedule_delay_millis=_DELAY_MS
            )
        )
        self._logger = self._provider.get_logger(_SCOPE, schema_url=_schema(section))

    @property
    def lost(self) -> int:
        return self._intake.lost

    def send(self, entry: Entry) -> None:
        if not self._intake.admits():
            return
        at_ns = (entry.started_at + entry.duration_us) * 1000
        self._logger.emit(
            timestamp=at_ns,
            observed_timestamp=at_ns,
            context=_within(Trace(trace_id=entry.trace_id, span_id=entry.span_id)),
            severity_number=SeverityNumber.ERROR if failed(entry) else SeverityNumber.INFO,
            severity_text="ERROR" if failed(entry) else "INFO",
            body=msgspec.json.encode(entry).decode(),
            attributes=told(entry, self._semconv).attributes,
            event_name="gatestack.entry",
        )

    def shutdown(self) -> None:
        self._provider.shutdown()


def _span_exporter(section: TelemetrySection, file: TextIO | None) -> SpanExporter:
    if section.exporter == "otlp":
        return OTLPSpanExporter(endpoint=_endpoint(section, "traces"))
    if file is None:
        return ConsoleSpanExporter()
    return ConsoleSpanExporter(out=file, formatter=lambda span: (span.to_json(indent=None) or "") + "\n")


def _endpoint(section: TelemetrySection, signal: str) -> str | None:
    """`endpoint` is the collector's address, or that of its traces. None: what the environment says."""
    base = section.endpoint.rstrip("/").removesuffix(_TRACES)
    return f"{base}/v1/{signal}" if base else None


def _schema(section: TelemetrySection) -> str | None:
    return None if section.semconv == "old" else SCHEMA_URL


def _within(parent: Trace | None) -> Any:
    if parent is None or not parent.trace_id:
        return api.set_span_in_context(api.INVALID_SPAN)
    ids = int(parent.trace_id, 16), int(parent.span_id, 16)
    context = api.SpanContext(*ids, is_remote=True, trace_flags=api.TraceFlags(1))
    return api.set_span_in_context(api.NonRecordingSpan(context))
