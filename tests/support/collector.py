"""An OTLP collector for tests: takes what is posted over HTTP, decoded with OpenTelemetry's own schema."""

import base64
import json
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from shared.asgi import Receive, Scope, Send


class Collector:
    """`spans`, `logs` and `metrics` are the protobuf messages that came. While `broken`, all is answered
    with 400; `answers` are the statuses of the next ones, which take nothing."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.logs: list[Any] = []
        self.metrics: dict[str, Any] = {}
        self.broken = False
        self.answers: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                message = await receive()
                await send({"type": message["type"] + ".complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        status = self.answers.pop(0) if self.answers else 400 if self.broken else 200
        if status == 200:
            self._take(
                scope["path"], body, dict(scope["headers"]).get(b"content-type") == b"application/json"
            )
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def _take(self, path: str, body: bytes, as_json: bool) -> None:
        if path == "/v1/traces":
            for spans in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.spans += [span for scope in spans.scope_spans for span in scope.spans]
        elif path == "/v1/logs":
            request = _logs_of(body) if as_json else ExportLogsServiceRequest.FromString(body)
            for logs in request.resource_logs:
                self.logs += [record for scope in logs.scope_logs for record in scope.log_records]
        elif path == "/v1/metrics":
            for metrics in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope in metrics.scope_metrics:
                    self.metrics |= {metric.name: metric for metric in scope.metrics}


def _logs_of(body: bytes) -> Any:
    """From OTLP's JSON, which has ids in hexadecimal where protobuf's own JSON has base64."""
    read = json.loads(body)
    for logs in read["resourceLogs"]:
        for record in (record for scope in logs["scopeLogs"] for record in scope["logRecords"]):
            for name in {"traceId", "spanId"} & record.keys():
                record[name] = base64.b64encode(bytes.fromhex(record[name])).decode()
    return json_format.ParseDict(read, ExportLogsServiceRequest())


def attributes_of(message: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in message.attributes}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None
