"""A collector gets rows as log records of OpenTelemetry's own schema, and what it did not take is told."""

import pytest

from shared.errors import UpstreamRefused
from shared.ledger.audit import verify_exported
from shared.ledger.sinks import open_sink
from shared.ledger.sinks import otlp as sink_module
from shared.tls_trust import Trust
from tests.shared.ledger.signed import SIGNER, WRITER, forged, kept, signed
from tests.support.collector import Collector, attributes_of
from tests.support.rows import START_US
from tests.support.serve import serving

SEALED = signed(30, every=11)
ROWS = [kept(row) for row in SEALED]


async def test_rows_arrive_as_log_records_and_can_be_verified() -> None:
    collector = Collector()
    async with serving(collector) as url:
        sink = open_sink(url, {"x-key": "secret"}, Trust())
        await sink.send(WRITER, ROWS)
        await sink.close()
    first = collector.logs[0]
    assert first.time_unix_nano == START_US * 1000
    assert (first.severity_text, first.event_name) == ("INFO", "gatestack.ledger")
    assert attributes_of(first)["gatestack.principal"] == "user:alice"
    bodies = [record.body.string_value.encode() for record in collector.logs]
    assert verify_exported(bodies, jwks=[SIGNER.jwks()]).findings == []
    assert len(bodies) == 30


async def test_a_row_of_a_trace_carries_its_ids_and_how_it_went() -> None:
    collector = Collector()
    traced = forged(SEALED[0], trace_id="ab" * 16, span_id="cd" * 8, outcome="failed")
    async with serving(collector) as url:
        sink = open_sink(f"{url}/v1/logs", {}, Trust())
        await sink.send(WRITER, [kept(traced), kept(forged(SEALED[0], outcome="refused", decision="deny"))])
        await sink.close()
    [first, second] = collector.logs
    assert (first.trace_id.hex(), first.span_id.hex()) == ("ab" * 16, "cd" * 8)
    assert (first.severity_text, second.severity_text) == ("ERROR", "WARN")


async def test_a_collector_that_is_busy_is_asked_again_and_one_that_refuses_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sink_module, "_PAUSE_SECONDS", 0.001)
    collector = Collector()
    async with serving(collector) as url:
        sink = open_sink(url, {}, Trust())
        collector.answers = [503, 429]
        await sink.send(WRITER, ROWS)
        assert len(collector.logs) == 30
        collector.answers = [400, 200]
        with pytest.raises(UpstreamRefused, match="400"):
            await sink.send(WRITER, ROWS)
        assert collector.answers == [200]
        await sink.close()
