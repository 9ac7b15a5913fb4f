"""Exported rows as syslog messages (RFC 5424) over TCP (RFC 6587, octets counted) or TLS (RFC 5425).

The message is the row's JSON line, so that what a receiver has kept can be verified like an exported file.
"""

import asyncio
import contextlib
import ssl
from datetime import UTC, datetime, timedelta

import msgspec

from shared.errors import UpstreamBroken, UpstreamUnreachable
from shared.ledger.exported import line_of
from shared.ledger.row import Row, opened
from shared.store import KeptRow

# Facility 13 is the log audit; severity 6 informs, 5 is what somebody may want to look at.
_AUDIT = 13 * 8
_INFORMATIONAL, _NOTICE = 6, 5
_SECONDS = 30.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_US = 253_402_300_799_999_999  # the end of the year 9999
_LONGEST_PROCID = 128


class SyslogSink:
    """A connection a batch: syslog has no receipts, and a receiver that has closed its side after ours has
    read what we sent."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._host = host
        self._port = port
        self._tls = tls

    async def send(self, writer: str, rows: list[KeptRow]) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                reader, stream = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        except (OSError, TimeoutError) as error:
            raise UpstreamUnreachable(f"no syslog receiver at {self._name}: {error}", cause=error) from error
        try:
            for row in rows:
                stream.write(framed(writer, row))
                await stream.drain()
            await _end(reader, stream)
        except (OSError, TimeoutError) as error:
            raise UpstreamBroken(
                f"the syslog receiver at {self._name} broke off: {error}", cause=error
            ) from error
        finally:
            stream.close()

    async def close(self) -> None:
        """Nothing is open between two batches."""

    @property
    def _name(self) -> str:
        return f"{self._host}:{self._port}"


def framed(writer: str, kept: KeptRow) -> bytes:
    """The length of the message in bytes, a space, the message."""
    message = b" ".join((_header(writer, kept), line_of(writer, kept)))
    return b"%d %b" % (len(message), message)


async def _end(reader: asyncio.StreamReader, stream: asyncio.StreamWriter) -> None:
    """Says that nothing follows, and waits until the receiver says so too."""
    async with asyncio.timeout(_SECONDS):
        if stream.can_write_eof():
            stream.write_eof()
            while await reader.read(4096):
                pass
        else:
            # TLS has no half-closed connections: its goodbye is answered.
            stream.close()
            await stream.wait_closed()


def _header(writer: str, kept: KeptRow) -> bytes:
    """Priority and version, when, host, application, process, kind of message, no structured data."""
    row = _row(kept)
    odd = row is None or row.decision == "deny" or row.outcome != "completed"
    at = "-" if row is None else _time(row.started_at + row.duration_us)
    process = "".join(sign if "!" <= sign <= "~" else "_" for sign in writer)[:_LONGEST_PROCID] or "-"
    priority = _AUDIT + (_NOTICE if odd else _INFORMATIONAL)
    return f"<{priority}>1 {at} - gatestack {process} ledger -".encode()


def _row(kept: KeptRow) -> Row | None:
    with contextlib.suppress(msgspec.MsgspecError):
        return opened(kept.body)
    return None


def _time(at: int) -> str:
    moment = _EPOCH + timedelta(microseconds=min(max(at, 0), _LATEST_US))
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
