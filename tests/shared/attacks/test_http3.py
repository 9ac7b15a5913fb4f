"""HTTP/3 from a client that means harm: little that it sends becomes much that we hold."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aioquic.buffer import encode_uint_var

from shared import http3
from shared.asgi import Receive, Scope, Send
from tests.support.http3 import Http3Client, dialled
from tests.support.serve import serving
from tests.support.tls import Authority
from tests.support.tls_app import app
from tests.support.wait import SECONDS, eventually

_HEADERS = encode_uint_var(1)
# A table of 4,096 bytes, and in it one field with a value of 3,900 (RFC 9204 section 4.3).
_TABLE = b"\x3f\xe1\x1f" + b"\x43x-a" + b"\x7f\xbd\x1d" + b"v" * 3900
# A block that names this field 60,000 times, a byte each time (section 4.5).
_BOMB = b"\x02\x00" + b"\x80" * 60_000


class Held:
    """What the server's connections hold."""

    def __init__(self) -> None:
        self.connections: list[http3.Connection] = []
        self.requests: list[http3.Request] = []

    @property
    def undecoded(self) -> int:
        streams = [stream for one in self.connections if one.http for stream in one.http._stream.values()]
        return max((len(stream.buffer) for stream in streams), default=0)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    found = Held()
    for kind, kept in ((http3.Connection, found.connections), (http3.Request, found.requests)):
        _noting(monkeypatch, kind, kept)
    return found


def _noting(monkeypatch: pytest.MonkeyPatch, kind: Any, kept: list[Any]) -> None:
    made = kind.__init__

    def noted(self: Any, *args: Any, **options: Any) -> None:
        made(self, *args, **options)
        kept.append(self)

    monkeypatch.setattr(kind, "__init__", noted)


@contextlib.asynccontextmanager
async def attacked(directory: Path, app: Any = app) -> AsyncIterator[tuple[Http3Client, Http3Client]]:
    """Two clients of one server: the second means no harm."""
    authority = Authority(directory)
    async with serving(app, authority.tls(http3=True)) as url:
        port = int(url.rpartition(":")[2])
        async with dialled(port, authority.path) as evil, dialled(port, authority.path) as good:
            yield evil, good


async def test_headers_that_never_end_are_not_held(tmp_path: Path, held: Held) -> None:
    async with attacked(tmp_path) as (evil, good):
        stream = evil._quic.get_next_available_stream_id()
        evil._quic.send_stream_data(stream, _HEADERS + encode_uint_var(1 << 30) + b"x" * 600_000)
        evil.transmit()
        most = 0
        while not evil._closed.is_set():
            most = max(most, held.undecoded)
            await asyncio.sleep(0.005)
        assert most < 200_000
        assert (await good.ask("GET", "/x"))[0] == 200


async def test_a_table_does_not_make_few_bytes_many_headers(tmp_path: Path, held: Held) -> None:
    async with attacked(tmp_path) as (evil, good):
        encoder = evil.http._local_encoder_stream_id
        assert encoder is not None
        evil._quic.send_stream_data(encoder, _TABLE)
        stream = evil._quic.get_next_available_stream_id()
        evil._quic.send_stream_data(stream, _HEADERS + encode_uint_var(len(_BOMB)) + _BOMB)
        evil.transmit()
        await asyncio.wait_for(evil.wait_closed(), SECONDS)
        assert not held.requests
        assert (await good.ask("GET", "/x"))[0] == 200


async def test_a_body_in_single_bytes_is_held_as_one(tmp_path: Path, held: Held) -> None:
    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        await going.wait()

    going = asyncio.Event()

    async with attacked(tmp_path, busy) as (evil, _):
        answer = evil.begin("POST", "/x", ended=False)
        evil._quic.send_stream_data(answer.stream, b"\x00\x01z" * 3_000)
        evil.transmit()
        await eventually(lambda: sum(one.unread for one in held.connections) == 3_000, "all is there")
        [request] = held.requests
        message = await request.receive()
        going.set()
    assert (len(message["body"]), message["more_body"]) == (3_000, True)
