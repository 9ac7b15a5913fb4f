"""Spans, metrics and the log line: written once a request, when its entry closes. The only door to
OpenTelemetry.

The SDK is loaded only where spans are exported: its import and its spans cost more than all the rest here.
"""

import logging
import sys
import traceback as tracebacks
from collections import defaultdict
from typing import Any, Protocol

import msgspec

from shared.identity.principal import Trace
from shared.ledger.entry import Entry, Outcome

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_FAILURES = (Outcome.FAILED, Outcome.BROKEN)


class SpanSink(Protocol):
    def export(self, entry: Entry, parent: Trace | None) -> None: ...

    def shutdown(self) -> None: ...


class Telemetry:
    """`sample` is the share of new traces that are exported; a trace that arrives sampled stays sampled."""

    def __init__(
        self, service: str, *, sample: float = 0.0, spans: SpanSink | None = None, log: bool = False
    ) -> None:
        self.service = service
        self.sample = sample if spans is not None else 0.0
        self._spans = spans
        self._log = logging.getLogger("gatestack")
        self._lines = log
        self._calls: dict[tuple[str, str], int] = defaultdict(int)
        self._tokens: dict[str, int] = defaultdict(int)
        self._findings: dict[str, int] = defaultdict(int)
        self._cost_micros = 0
        self._buckets = [0] * (len(_BUCKETS_S) + 1)
        self._seconds = 0.0
        self.gauges: dict[str, Any] = {}

    def end(self, entry: Entry, parent: Trace | None, *, sampled: bool) -> None:
        """Counts the call, exports its span when sampled, writes its line when asked to."""
        self._count(entry)
        if sampled and self._spans is not None:
            self._spans.export(entry, parent)
        if self._lines:
            sys.stdout.write(msgspec.json.encode(entry).decode() + "\n")

    def fault(self, entry: Entry, error: Exception) -> None:
        """A mistake of ours: the one thing that deserves a traceback."""
        text = "".join(tracebacks.format_exception(error))
        self._log.error("call %s failed in %s: %s", entry.id, self.service, text)

    def cause(self, entry: Entry, cause: BaseException | str) -> None:
        self._log.debug("call %s: %r", entry.id, cause)

    def metrics(self) -> bytes:
        """The Prometheus text form (version 0.0.4). No label names a principal or a tenant: this page needs
        no credential.
        """
        label = f'service="{self.service}"'
        lines = ["# TYPE gatestack_calls_total counter"]
        for (outcome, reason), count in sorted(self._calls.items()):
            lines.append(f'gatestack_calls_total{{{label},outcome="{outcome}",reason="{reason}"}} {count}')
        lines.append("# TYPE gatestack_tokens_total counter")
        lines += [
            f'gatestack_tokens_total{{{label},kind="{k}"}} {n}' for k, n in sorted(self._tokens.items())
        ]
        lines.append("# TYPE gatestack_findings_total counter")
        lines += [
            f'gatestack_findings_total{{{label},kind="{k}"}} {n}' for k, n in sorted(self._findings.items())
        ]
        lines.append("# TYPE gatestack_cost_micros_total counter")
        lines.append(f"gatestack_cost_micros_total{{{label}}} {self._cost_micros}")
        lines.append("# TYPE gatestack_call_seconds histogram")
        total = 0
        for bound, count in zip((*_BUCKETS_S, "+Inf"), self._buckets, strict=True):
            total += count
            lines.append(f'gatestack_call_seconds_bucket{{{label},le="{bound}"}} {total}')
        lines.append(f"gatestack_call_seconds_sum{{{label}}} {self._seconds:.6f}")
        lines.append(f"gatestack_call_seconds_count{{{label}}} {total}")
        for name, read in sorted(self.gauges.items()):
            lines += [f"# TYPE {name} gauge", f"{name}{{{label}}} {read()}"]
        return ("\n".join(lines) + "\n").encode()

    def close(self) -> None:
        if self._spans is not None:
            self._spans.shutdown()

    def _count(self, entry: Entry) -> None:
        self._calls[(entry.outcome, entry.reason)] += 1
        for finding in entry.findings:
            # What stands behind the colon may name somebody.
            self._findings[finding.partition(":")[0]] += 1
        self._tokens["in"] += entry.usage.tokens_in
        self._tokens["out"] += entry.usage.tokens_out
        self._cost_micros += entry.cost_micros
        seconds = entry.duration_us / 1_000_000
        self._seconds += seconds
        for place, bound in enumerate(_BUCKETS_S):
            if seconds <= bound:
                self._buckets[place] += 1
                return
        self._buckets[-1] += 1


def open_spans(service: str, exporter: str, *, endpoint: str = "", file: str = "") -> SpanSink | None:
    """The sink for an exporter's name: none, console, file (JSON lines) or otlp (HTTP, to `endpoint`)."""
    if exporter == "none":
        return None
    return _SdkSpans(service, exporter, endpoint, file)


class _SdkSpans:
    """Spans through the OpenTelemetry SDK, made when their entry closes, with the ids the entry already
    has.
    """

    def __init__(self, service: str, exporter: str, endpoint: str, file: str) -> None:
        # Loaded here because it takes 60 ms and 20 MB that a process without an exporter need not pay.
        from opentelemetry import trace as api
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
        from opentelemetry.sdk.trace.id_generator import IdGenerator

        class Ids(IdGenerator):
            """Hands out the ids of the entry that is being exported."""

            trace_id = span_id = 0

            def generate_trace_id(self) -> int:
                return self.trace_id

            def generate_span_id(self) -> int:
                return self.span_id

        def exporter_of() -> SpanExporter:
            if exporter == "console":
                return ConsoleSpanExporter()
            if exporter == "file":
                return ConsoleSpanExporter(
                    out=open(file, "a", buffering=1),
                    formatter=lambda span: (span.to_json(indent=None) or "") + "\n",
                )
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            return OTLPSpanExporter(endpoint=endpoint or None)

        self._api: Any = api
        self._ids = Ids()
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": service}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter_of(), schedule_delay_millis=500))
        self._tracer = self._provider.get_tracer("gatestack")

    def export(self, entry: Entry, parent: Trace | None) -> None:
        api = self._api
        self._ids.trace_id, self._ids.span_id = int(entry.trace_id, 16), int(entry.span_id, 16)
        context = api.set_span_in_context(api.INVALID_SPAN)
        if parent is not None:
            remote = api.SpanContext(
                int(parent.trace_id, 16), int(parent.span_id, 16), True, api.TraceFlags(1)
            )
            context = api.set_span_in_context(api.NonRecordingSpan(remote))
        start_ns = entry.started_at * 1000
        span = self._tracer.start_span(
            _name(entry),
            context=context,
            kind=api.SpanKind.SERVER,
            attributes=_attributes(entry),
            start_time=start_ns,
        )
        if entry.outcome in _FAILURES:
            span.set_status(api.StatusCode.ERROR, entry.reason)
        span.end(start_ns + entry.duration_us * 1000)

    def shutdown(self) -> None:
        self._provider.shutdown()


def _name(entry: Entry) -> str:
    if entry.model:
        return f"chat {entry.model}"
    if entry.tool:
        return f"tools/call {entry.tool}"
    if entry.agent:
        return f"invoke_agent {entry.agent}"
    return f"{entry.action} {entry.resource}".strip() or entry.service


def _attributes(entry: Entry) -> dict[str, Any]:
    caller = entry.caller
    found: dict[str, Any] = {
        "gatestack.entry": entry.id,
        "gatestack.chain": caller.chain if caller else "",
        "gatestack.actors": list(caller.actors) if caller else [],
        "gatestack.outcome": str(entry.outcome),
        "gatestack.resource": entry.resource,
        "gatestack.decision": entry.decision,
        "http.response.status_code": entry.status,
        "gen_ai.request.model": entry.model,
        "gen_ai.provider.name": entry.provider,
        "gen_ai.usage.input_tokens": entry.usage.tokens_in,
        "gen_ai.usage.output_tokens": entry.usage.tokens_out,
        "gen_ai.tool.name": entry.tool,
        "gen_ai.agent.name": entry.agent,
        "error.type": entry.reason,
    }
    return {name: value for name, value in found.items() if value not in ("", 0, [])}
