"""Exported rows as log records for a collector: OTLP over HTTP, in its JSON encoding.

The body of a record is the row's JSON line, so that what a collector has kept can be verified like an
exported file.
"""

import asyncio
from typing import Any

import msgspec

from shared.errors import UpstreamFault, UpstreamRefused
from shared.http_client import HttpClient
from shared.ledger.exported import line_of
from shared.ledger.row import Row, opened
from shared.store import KeptRow

_AT_ONCE = 500
_CAP = 1 << 20
_TRIES, _PAUSE_SECONDS = 5, 0.5
# What the protocol says may be sent again.
_LATER = (429, 502, 503, 504)
_PATH = "/v1/logs"
_INFO, _WARN, _ERROR = (9, "INFO"), (13, "WARN"), (17, "ERROR")
_SEVERITY = {"completed": _INFO, "failed": _ERROR, "broken": _ERROR}
_ATTRIBUTES = ("tenant", "principal", "chain", "resource", "action", "decision", "outcome")


class OtlpSink:
    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._url = url.rstrip("/").removesuffix(_PATH) + _PATH
        self._headers = [("content-type", "application/json"), *headers.items()]
        self._http = HttpClient()

    async def send(self, writer: str, rows: list[KeptRow]) -> None:
        for start in range(0, len(rows), _AT_ONCE):
            await self._post(msgspec.json.encode(_request(writer, rows[start : start + _AT_ONCE])))

    async def close(self) -> None:
        await self._http.close()

    async def _post(self, body: bytes) -> None:
        for tried in range(1, _TRIES + 1):
            status, answer = await self._answer(body)
            if status not in _LATER or tried == _TRIES:
                break
            await asyncio.sleep(_PAUSE_SECONDS * 2**tried)
        if status != 200:
            said = f"the collector at {self._url} answered {status}"
            raise UpstreamRefused(said, upstream_status=status, retryable=status in _LATER)
        refused = _refused(answer)
        if refused:
            raise UpstreamFault(f"the collector at {self._url} refused {refused} of the rows")

    async def _answer(self, body: bytes) -> tuple[int, bytes]:
        async with await self._http.send("POST", self._url, headers=self._headers, body=body) as reply:
            return reply.status, await reply.read(_CAP)


def _request(writer: str, rows: list[KeptRow]) -> dict[str, Any]:
    """One writer's rows; a writer is a process of one service."""
    about = _values({"service.name": writer.rpartition("-")[0] or writer, "service.instance.id": writer})
    records = [_record(writer, row) for row in rows]
    scope = {"scope": {"name": "gatestack.ledger"}, "logRecords": records}
    return {"resourceLogs": [{"resource": {"attributes": about}, "scopeLogs": [scope]}]}


def _record(writer: str, kept: KeptRow) -> dict[str, Any]:
    found: dict[str, Any] = {
        "eventName": "gatestack.ledger",
        "body": {"stringValue": line_of(writer, kept).decode()},
    }
    try:
        return found | _about(opened(kept.body))
    except msgspec.MsgspecError:
        return found | {"severityNumber": _ERROR[0], "severityText": _ERROR[1]}


def _about(row: Row) -> dict[str, Any]:
    # 64-bit numbers are texts in this encoding, ids hexadecimal.
    at = str((row.started_at + row.duration_us) * 1000)
    number, text = _SEVERITY.get(row.outcome, _WARN)
    pairs = {"gatestack.entry": row.id}
    pairs |= {f"gatestack.{name}": value for name in _ATTRIBUTES if (value := getattr(row, name))}
    found: dict[str, Any] = {
        "timeUnixNano": at,
        "observedTimeUnixNano": at,
        "severityNumber": number,
        "severityText": text,
        "attributes": _values(pairs),
    }
    return found | ({"traceId": row.trace_id, "spanId": row.span_id} if row.trace_id and row.span_id else {})


def _values(pairs: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"stringValue": value}} for name, value in pairs.items()]


def _refused(answer: bytes) -> int:
    """How many records a collector that answered well has left out."""
    try:
        partial = msgspec.json.decode(answer, type=dict[str, Any]).get("partialSuccess", {})
        return int(partial.get("rejectedLogRecords", 0))
    except (msgspec.DecodeError, AttributeError, ValueError):
        return 0  # protobuf, or nothing: only a collector of another encoding answers so
