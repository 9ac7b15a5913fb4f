"""`gatestack audit export`: the ledger's rows to a file, a syslog receiver or a collector, from where the
last export ended.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path

from api_gateway.admin.period import moment
from api_gateway.cli.offline import ledger
from api_gateway.cli.remote import CommandFailed
from api_gateway.cli.usage import ConfigFile
from shared.clock import Clock
from shared.errors import BadRequest, UpstreamFault
from shared.ledger.export import Position, Span, leaving, load, save
from shared.ledger.sinks import Sink, open_sink
from shared.store import KeptRow
from shared.tls_trust import Trust

# As many rows are sent again at most when an export is broken off.
_BATCH = 5000
_ALWAYS_US = 2**62


def export(
    *,
    to: str = "-",
    since: str = "",
    until: str = "",
    position: Path | None = None,
    header: Sequence[str] = (),
    ca: str = "",
    certificate: str = "",
    key: str = "",
    config: ConfigFile = "gatestack.yaml",
) -> int:
    """Send the ledger's rows, each as one JSON line with its hash, writer by writer.

    Parameters
    ----------
    to
        `-` (standard output), a file to append to, syslog://host:port (TCP), syslogs://host:port (TLS), or
        the http:// or https:// address of an OpenTelemetry collector.
    since
        Only rows that began then or later, and what lies between them in their chains: like 7d, an ISO date
        or last-month.
    until
        Only rows that began before.
    position
        A file that keeps how far the export got; the next one goes on from there.
    header
        NAME=VALUE, for the collector; several times if need be.
    ca
        PEM file of the authority that alone is believed (syslogs).
    certificate
        PEM file of the certificate that we show (syslogs), and with `key` its key.
    config
        The configuration file that says where the database is.
    """
    try:
        opened = partial(open_sink, to, _headers(header), Trust(ca=ca, certificate=certificate, key=key))
        count = asyncio.run(_exported(config, opened, position, _span(since, until)))
    except (OSError, BadRequest) as error:
        raise CommandFailed(str(error), 2) from error
    except UpstreamFault as error:
        raise CommandFailed(error.detail) from error
    # Standard output may be what the rows went to.
    print(f"{count} rows exported", file=sys.stderr)
    return 0


async def _exported(config: str, opened: Callable[[], Sink], path: Path | None, span: Span | None) -> int:
    position, count = load(path) if path else Position(), 0
    async with ledger(config) as store:
        sink = opened()
        try:
            async for writer, rows in _batches(leaving(store, position, Clock().now_us(), span)):
                await sink.send(writer, rows)
                position[writer] = rows[-1].seq
                count += len(rows)
                if path:
                    save(path, position)
        finally:
            await sink.close()
    return count


async def _batches(rows: AsyncIterator[tuple[str, KeptRow]]) -> AsyncIterator[tuple[str, list[KeptRow]]]:
    """Never of two writers."""
    whose, batch = "", list[KeptRow]()
    async for writer, row in rows:
        if batch and (writer != whose or len(batch) >= _BATCH):
            yield whose, batch
            batch = []
        whose = writer
        batch.append(row)
    if batch:
        yield whose, batch


def _span(since: str, until: str) -> Span | None:
    if not since and not until:
        return None
    now = Clock().now_us()
    return Span(
        moment(since, "since", now) if since else 0, moment(until, "until", now) if until else _ALWAYS_US
    )


def _headers(given: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    if any(not name or not equals for name, equals, _ in pairs):
        raise BadRequest("--header: say NAME=VALUE")
    return {name: value for name, _, value in pairs}
