"""Where exported rows go: a file, a syslog receiver, a collector of OpenTelemetry."""

import sys
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from shared.errors import BadRequest
from shared.ledger.sinks.file import FileSink
from shared.ledger.sinks.otlp import OtlpSink
from shared.ledger.sinks.syslog import SyslogSink
from shared.store import KeptRow
from shared.tls_trust import Trust, context_of

__all__ = ["Sink", "open_sink"]
_SYSLOG_PORT, _SYSLOG_TLS_PORT = 514, 6514


class Sink(Protocol):
    """Takes rows in batches. When `send` returns they have arrived, as far as its protocol can tell."""

    async def send(self, writer: str, rows: list[KeptRow]) -> None:
        """Raises OSError or one of our errors; then none or some of the rows have arrived."""
        ...

    async def close(self) -> None: ...


def open_sink(target: str, headers: dict[str, str], trust: Trust) -> Sink:
    """The sink at `target`: `-` (standard output), a file to append to, `syslog://host:port` (TCP),
    `syslogs://host:port` (TLS), or the `http://` or `https://` address of a collector.

    `headers` are for the collector, `trust` for TLS to a syslog receiver. Raises BadRequest and OSError.
    """
    where = urlsplit(target)
    if where.scheme in ("http", "https"):
        return OtlpSink(target, headers)
    if headers:
        raise BadRequest("headers: only a collector (http:// or https://) reads them")
    if where.scheme not in ("syslog", "syslogs"):
        return FileSink(sys.stdout.buffer if target == "-" else Path(target).open("ab"))
    if not where.hostname:
        raise BadRequest("a syslog receiver is named like syslog://host:514 or syslogs://host:6514")
    try:
        port = where.port or (_SYSLOG_TLS_PORT if where.scheme == "syslogs" else _SYSLOG_PORT)
        return SyslogSink(where.hostname, port, context_of(trust) if where.scheme == "syslogs" else None)
    except ValueError as error:
        raise BadRequest(f"{target}: {error}") from error
