"""What really goes out: to a collector over OTLP, and to nobody when there is none."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from shared.config.sections import TelemetrySection
from shared.identity.principal import Trace
from shared.ledger.entry import Outcome, Usage
from shared.telemetry import Telemetry, open_telemetry
from tests.support.collector import Collector, attributes_of
from tests.support.rows import entry
from tests.support.serve import serving

TRACE, SPAN, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
NOWHERE = Path("unused")


def call(**fields: Any) -> Any:
    return entry(
        usage=Usage(tokens_in=10, tokens_out=2),
        **{"model": "m", "provider": "openai", "trace_id": TRACE, "span_id": SPAN, **fields},
    )


def opened(url: str, **more: Any) -> Telemetry:
    section = TelemetrySection(sample=1.0, exporter="otlp", endpoint=url, **more)
    return open_telemetry("llm_gateway", section, NOWHERE)


async def test_a_collector_gets_the_span_the_metrics_and_the_line() -> None:
    collector = Collector()
    async with serving(collector) as url:
        telemetry = opened(f"{url}/v1/traces", logs=True, semconv="both")
        parent = Trace(trace_id=TRACE, span_id=PARENT)
        telemetry.end(call(outcome=Outcome.FAILED, reason="upstream"), parent, sampled=True)
        await asyncio.to_thread(telemetry.close)
    [span], [record] = collector.spans, collector.logs
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    assert (span.name, ids, span.status.code) == ("chat m", (TRACE, SPAN, PARENT), 2)
    assert attributes_of(span)["gen_ai.provider.name"] == "openai"
    assert (record.trace_id.hex(), record.span_id.hex()) == (TRACE, SPAN)
    assert (record.severity_text, record.event_name) == ("ERROR", "gatestack.entry")
    assert msgspec.json.decode(record.body.string_value)["model"] == "m"
    tokens = collector.metrics["gen_ai.client.token.usage"].histogram.data_points
    assert sorted(point.sum for point in tokens) == [2, 10]
    assert collector.metrics["gen_ai.client.inference.duration"].unit == "s"
    assert b'gatestack_telemetry_lost{service="llm_gateway"} 0' in telemetry.metrics()


async def test_what_is_not_sampled_has_no_span_but_counts() -> None:
    collector = Collector()
    async with serving(collector) as url:
        telemetry = opened(url)
        telemetry.end(call(), None, sampled=False)
        await asyncio.to_thread(telemetry.close)
    assert (collector.spans, collector.logs) == ([], [])
    assert "gen_ai.client.inference.duration" in collector.metrics


async def test_what_a_collector_does_not_take_is_counted() -> None:
    collector = Collector()
    collector.broken = True
    async with serving(collector) as url:
        telemetry = opened(url, logs=True)
        for _ in range(3):
            telemetry.end(call(), None, sampled=True)
        await asyncio.to_thread(telemetry.close)
    assert b'gatestack_telemetry_lost{service="llm_gateway"} 6' in telemetry.metrics()


async def test_spans_can_go_to_a_file(tmp_path: Path) -> None:
    section = TelemetrySection(sample=1.0, exporter="file")
    telemetry = open_telemetry("llm_gateway", section, tmp_path / "spans.jsonl")
    telemetry.end(call(), None, sampled=True)
    telemetry.close()
    [line] = (tmp_path / "spans.jsonl").read_text().splitlines()
    assert msgspec.json.decode(line)["name"] == "chat m"


def test_without_an_exporter_nothing_of_the_sdk_is_there() -> None:
    telemetry = open_telemetry("llm_gateway", TelemetrySection(sample=1.0), NOWHERE)
    assert (telemetry.sample, "gatestack_telemetry_lost" in telemetry.gauges) == (0.0, False)
