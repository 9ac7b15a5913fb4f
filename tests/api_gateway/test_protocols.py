"""The edge over HTTP/2 and HTTP/3: streams, WebSockets, uploads that are refused early, and requests that an
HTTP/1.1 service behind must not see otherwise.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import h2.events
import msgspec
import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, TextMessage

from shared.asgi import Exchange, Receive, Scope, Send
from tests.api_gateway.fronted import Front, fronted
from tests.api_gateway.test_websocket import echo
from tests.api_gateway.witness import Witness, witness
from tests.support.http2 import Http2Client, http2
from tests.support.http3 import Http3Client, dialled
from tests.support.serve import serving
from tests.support.tls import Authority
from tests.support.wait import eventually


class Ticking:
    """A service that sends an event whenever the test says so."""

    def __init__(self) -> None:
        self.more = asyncio.Event()
        self.left = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        await exchange.start(200, [(b"content-type", b"text/event-stream")])
        for n in range(3):
            await exchange.write(f"data: {n}\n\n".encode())
            await self.more.wait()
            self.more.clear()
        await exchange.disconnected()
        self.left = True


class Ends:
    """An edge that speaks everything, and a client of either kind."""

    def __init__(self, front: Front, two: Http2Client, three: Http3Client) -> None:
        self.front = front
        self.two = two
        self.three = three

    def begin(self, path: str, *more: tuple[str, str], method: str = "GET", ended: bool = True) -> int:
        pseudo = ((":method", method), (":scheme", "https"), (":authority", "edge.test"), (":path", path))
        key = ("authorization", f"Bearer {self.front.key}")
        told = sorted((key, *more), key=lambda header: not header[0].startswith(":"))
        return self.two.begin(*pseudo, *told, ended=ended)

    @property
    def key(self) -> list[tuple[bytes, bytes]]:
        return [(b"authorization", f"Bearer {self.front.key}".encode())]


@contextlib.asynccontextmanager
async def ends(directory: Path, *routes: dict[str, Any], **section: Any) -> AsyncIterator[Ends]:
    authority = Authority(directory)
    tls = msgspec.to_builtins(authority.tls(http3=True))
    async with (
        fronted(directory, *routes, tls=tls, **section) as front,
        http2(front.port, authority.client()) as two,
        dialled(front.port, authority.path) as three,
    ):
        yield Ends(front, two, three)


def _says(wanted: bytes, found: Callable[[], bytes]) -> bool:
    return found() == wanted


async def test_events_come_one_by_one_and_a_kill_ends_both(tmp_path: Path) -> None:
    first, second = Ticking(), Ticking()
    async with (
        serving(first) as one,
        serving(second) as other,
        ends(tmp_path, {"urls": [one]}, {"urls": [other]}) as edge,
    ):
        stream = edge.begin("/r0/events")
        answer = edge.three.begin("GET", "/r1/events", edge.key)
        for n in range(2):
            said = b"".join(b"data: %d\n\n" % k for k in range(n + 1))
            await eventually(partial(_says, said, lambda: edge.two.body(stream)), "over HTTP/2")
            await eventually(partial(_says, said, lambda: answer.body), "over HTTP/3")
            first.more.set()
            second.more.set()
        control = edge.front.edge.app.state.control
        await control.add_kill({"user": "user:alice"}, "a test", "user:operator")
        await eventually(lambda: edge.two.over(stream) and answer.done.is_set(), "both are cut")
        told = [entry.outcome for entry in await edge.front.closed(2)]
    assert told == ["killed", "killed"]


async def test_a_client_that_leaves_is_noticed_over_http_3(tmp_path: Path) -> None:
    service = Ticking()
    async with serving(service) as url, ends(tmp_path, {"urls": [url]}) as edge:
        answer = edge.three.begin("GET", "/r0/events", edge.key)
        await eventually(lambda: answer.size, "the first event")
        edge.three.cancel(answer)
        [row] = await edge.front.closed()
    assert row.outcome == "client_gone"


async def test_an_upload_that_is_refused_early_leaves_the_connection_to_others(tmp_path: Path) -> None:
    async with witness() as service, ends(tmp_path, {"urls": [service.url]}, max_body_bytes=1000) as edge:
        stream = edge.begin("/r0/x", method="POST", ended=False)
        await edge.two.send(stream, b"z" * 300_000, ended=True)
        answer = await edge.three.ask("POST", "/r0/x", b"z" * 300_000, edge.key)
        after = edge.begin("/r0/y")
        await eventually(lambda: edge.two.over(after), "the next request")
        assert (edge.two.status(stream), edge.two.status(after)) == (413, 200)
        assert answer[0] == 413
        assert (await edge.three.ask("GET", "/r0/y", headers=edge.key))[0] == 200


async def test_a_websocket_goes_over_http_2(tmp_path: Path) -> None:
    async with echo() as service, ends(tmp_path, {"urls": [service.url], "websocket": {}}) as edge:
        await eventually(lambda: edge.two.h2.remote_settings.enable_connect_protocol, "the server's settings")
        stream = edge.begin(
            "/r0/talk",
            (":protocol", "websocket"),
            ("sec-websocket-version", "13"),
            method="CONNECT",
            ended=False,
        )
        await eventually(lambda: edge.two.status(stream), "it is open")
        assert edge.two.status(stream) == 200, edge.two.body(stream)
        frames = Connection(ConnectionType.CLIENT)
        await edge.two.send(stream, frames.send(TextMessage(data="hello")), ended=False)
        await eventually(lambda: edge.two.body(stream), "the echo")
        frames.receive_data(edge.two.body(stream))
        assert [event.data for event in frames.events() if isinstance(event, TextMessage)] == ["hello"]
        await edge.two.send(stream, frames.send(CloseConnection(code=1000)), ended=True)
        [row] = await edge.front.closed()
    assert (row.status, row.outcome) == (101, "completed")


# What HTTP/2 can carry in a header and HTTP/1.1 would read as something else.
TRICKS: list[tuple[tuple[str, str], ...]] = [
    (("transfer-encoding", "chunked"),),
    (("connection", "keep-alive"),),
    (("content-length", "500"),),
    (("x-a", "1\r\ntxn-token: evil"),),
    (("x-a\r\ntxn-token", "evil"),),
    (("x-a: 1", "2"),),
    (("host", "other.test"),),
    (("X-Upper", "1"),),
    (("x-a", "1\x00"),),
]


@pytest.mark.parametrize("trick", TRICKS, ids=str)
async def test_headers_that_mean_more_over_http_1_do_not_get_there(
    tmp_path: Path, trick: tuple[tuple[str, str], ...]
) -> None:
    async with witness() as service, ends(tmp_path, {"urls": [service.url]}) as edge:
        stream = edge.begin("/r0/x", *trick, method="POST", ended=False)
        await _say(edge, stream)
        await eventually(lambda: edge.two.over(stream), "an end")
        answer = await _ask_three(edge, trick)
    assert answer in (200, 400, 0)
    for seen in service.seen:
        _same(seen.body, service)


async def _say(edge: Ends, stream: int) -> None:
    with contextlib.suppress(Exception):
        await edge.two.send(stream, b"hello", ended=True)


async def _ask_three(edge: Ends, trick: tuple[tuple[str, str], ...]) -> int:
    more = [(name.encode(), value.encode()) for name, value in trick]
    answer = edge.three.begin("POST", "/r0/x", [*edge.key, *more], ended=False)
    with contextlib.suppress(Exception):
        edge.three.say(answer, b"hello", ended=True)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(answer.done.wait(), 2)
    return answer.status


def _same(body: bytes, service: Witness) -> None:
    for seen in service.seen:
        assert seen.target == "/r0/x"
        assert body in (b"hello", b"")
        assert len(seen.all("txn-token")) == 1
        assert "evil" not in seen.all("txn-token")[0]
        assert len(seen.all("content-length") + seen.all("transfer-encoding")) <= 1
        assert len(seen.all("host")) == 1


@pytest.mark.parametrize(
    "path", ["", "/r0/\u00e9", "r0/x", "/r0/../r1/x", "/r0/%2e%2e/r1", "//r1/x", "/r0/x y", "/r0/x?y z"]
)
async def test_paths_are_held_to_the_same_over_http_2(tmp_path: Path, path: str) -> None:
    async with (
        witness() as first,
        witness() as second,
        ends(tmp_path, {"urls": [first.url]}, {"urls": [second.url]}) as edge,
    ):
        stream = edge.begin(path)
        await eventually(lambda: edge.two.over(stream), "an end")
    assert edge.two.status(stream) in (0, 400, 404)
    assert first.seen == second.seen == []
    assert not any(isinstance(event, h2.events.PushedStreamReceived) for event in edge.two.events)
