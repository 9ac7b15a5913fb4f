"""A syslog receiver gets whole messages as the standards count them, over TCP and TLS, and a sender that
cannot be sure says so.
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.errors import BadRequest, UpstreamBroken, UpstreamUnreachable
from shared.ledger.audit import verify_exported
from shared.ledger.sinks import open_sink
from shared.store import KeptRow
from shared.tls_trust import Trust
from tests.shared.ledger.signed import SIGNER, WRITER, forged, kept, signed
from tests.support.tls import HOST, Authority

ROWS = [kept(row) for row in signed(30, every=11)]
HEADER = re.compile(
    rb"<(?P<priority>\d+)>1 (?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)"
    rb" - gatestack (?P<process>\S+) ledger - "
)


class Receiver:
    """Reads messages by their counted lengths. `cuts` breaks the connection off after the first bytes."""

    def __init__(self, *, cuts: bool = False) -> None:
        self.messages: list[bytes] = []
        self._cuts = cuts

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cuts:
            await reader.read(1)
            writer.transport.abort()
            return
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                length = int(await reader.readuntil(b" "))
                self.messages.append(await reader.readexactly(length))
        writer.close()


@contextlib.asynccontextmanager
async def listening(receiver: Receiver, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    server = await asyncio.start_server(receiver, HOST, 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def send(target: str, rows: list[KeptRow], trust: Trust | None = None) -> None:
    sink = open_sink(target, {}, trust or Trust())
    await sink.send(WRITER, rows)
    await sink.close()


async def test_messages_arrive_whole_and_can_be_verified() -> None:
    receiver = Receiver()
    async with listening(receiver) as port:
        await send(f"syslog://{HOST}:{port}", ROWS[:20])
        await send(f"syslog://{HOST}:{port}", ROWS[20:])
        # The receiver has read everything when `send` returns: nothing is waited for.
        messages = receiver.messages
    match = HEADER.match(messages[0])
    assert match is not None
    assert (match["priority"], match["process"]) == (b"110", WRITER.encode())
    assert match["at"] == b"2027-01-15T08:00:00.000000Z"
    assert verify_exported(messages, jwks=[SIGNER.jwks()]).findings == []
    assert len(messages) == 30


async def test_refusals_are_told_with_more_weight() -> None:
    receiver = Receiver()
    [row] = signed(1, every=9)
    async with listening(receiver) as port:
        await send(f"syslog://{HOST}:{port}", [kept(forged(row, decision="deny", outcome="refused"))])
    assert receiver.messages[0].startswith(b"<109>1 ")


async def test_over_tls_the_receiver_has_to_be_the_one_that_is_believed(tmp_path: Path) -> None:
    authority, receiver = Authority(tmp_path), Receiver()
    path = authority.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, path.with_suffix(".key"))
    async with listening(receiver, context) as port:
        target = f"syslogs://{HOST}:{port}"
        await send(target, ROWS, Trust(ca=str(authority.path)))
        assert len(receiver.messages) == 30
        with pytest.raises(UpstreamUnreachable):
            await send(target, ROWS, Trust(ca=str(Authority(tmp_path, "other").path)))


async def test_a_receiver_that_breaks_off_has_not_got_the_rows() -> None:
    async with listening(Receiver(cuts=True)) as port:
        with pytest.raises(UpstreamBroken):
            await send(f"syslog://{HOST}:{port}", ROWS * 200)
    with pytest.raises(UpstreamUnreachable):
        await send(f"syslog://{HOST}:{port}", ROWS)


async def test_a_writer_with_an_odd_name_cannot_forge_a_header() -> None:
    receiver = Receiver()
    async with listening(receiver) as port:
        sink = open_sink(f"syslog://{HOST}:{port}", {}, Trust())
        await sink.send("w - - -\n<0>1 é", ROWS[:1])
    match = HEADER.match(receiver.messages[0])
    assert match is not None
    assert match["process"] == b"w_-_-_-_<0>1__"


@pytest.mark.parametrize("target", ["syslog://", "syslog://host:port", "syslogs://host:99999"])
def test_an_address_that_is_none_is_refused(target: str) -> None:
    with pytest.raises(BadRequest):
        open_sink(target, {}, Trust())
    with pytest.raises(BadRequest, match="collector"):
        open_sink("-", {"a": "b"}, Trust())
