"""One stream of an HTTP/2 connection does nothing to the others, nothing stays of it, and who only keeps the
server busy is sent away.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial

import h2.events
import pytest
import pytest_asyncio
from h2.errors import ErrorCodes
from hyperframe.frame import (
    DataFrame,
    Frame,
    PingFrame,
    PriorityFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from shared import http2 as protocol
from shared.asgi import Receive, Scope, Send
from shared.connection import Connection
from shared.server import Clients
from tests.support.http2 import Http2Client, http2
from tests.support.serve import serving
from tests.support.wait import SECONDS, eventually

BEGINNING = {"type": "http.response.start", "status": 200, "headers": []}
PIECE = {"type": "http.response.body", "body": b"x" * 50_000, "more_body": True}


class App:
    """Does what the path says, and notes who is still at it."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.sent = 0
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if scope["type"] != "http":
            return
        self.open.append(path)
        try:
            if path == "/unread":
                await self.go_on.wait()
            elif path == "/endless":
                await send(BEGINNING)
                for _ in range(1_000):
                    self.sent += 1
                    await send(PIECE)
                return
            elif path == "/broken":
                await send(BEGINNING)
                await send(PIECE | {"body": b"half"})
                return
            read = 0
            while path in ("/", "/unread") and (message := await receive())["type"] == "http.request":
                read += len(message["body"])
                if not message["more_body"]:
                    break
            await send(BEGINNING)
            await send(PIECE | {"body": b"%d" % read, "more_body": False})
        finally:
            self.open.remove(path)


@pytest.fixture
def app() -> App:
    return App()


@pytest_asyncio.fixture
async def client(app: App, served: list[Connection]) -> AsyncIterator[Http2Client]:
    async with serving(app, clients=Clients(header_bytes=16_384)) as url:
        async with http2(int(url.rpartition(":")[2])) as client:
            await eventually(lambda: client.events, "its settings")
            yield client
        app.go_on.set()


def begin(client: Http2Client, path: str, method: str = "POST", *, ended: bool = True) -> int:
    fields = (":method", method), (":scheme", "http"), (":authority", "x"), (":path", path)
    return client.begin(*fields, ended=ended)


async def answered(client: Http2Client) -> None:
    """The connection is as good as ever."""
    stream = begin(client, "/")
    await eventually(lambda: client.body(stream) == b"0" and client.over(stream), "an answer")


def code(client: Http2Client, stream: int = 0) -> int | None:
    """With which code it was reset; without a stream, the connection ended."""
    for event in client.events:
        if stream and isinstance(event, h2.events.StreamReset) and event.stream_id == stream:
            return event.error_code
        if not stream and isinstance(event, h2.events.ConnectionTerminated):
            return event.error_code
    return None


@pytest.mark.parametrize("pieces", [500, 15])
async def test_a_body_that_nobody_reads_holds_up_nobody(client: Http2Client, app: App, pieces: int) -> None:
    streams = [begin(client, "/unread", ended=False) for _ in range(10)]
    body = b"x" * (60_000 // pieces)
    for stream in streams:
        for _ in range(pieces):
            await client.send(stream, body, ended=False)
    await answered(client)
    other = begin(client, "/", ended=False)
    await client.send(other, b"y" * 200_000, ended=True)
    await eventually(lambda: client.body(other) == b"200000", "another's upload")
    app.go_on.set()
    for stream in streams:
        await client.send(stream, b"z" * 100_000, ended=True)
    whole = b"%d" % (len(body) * pieces + 100_000)
    await eventually(lambda: all(client.body(stream) == whole for stream in streams), "all of it")


async def test_room_that_a_lost_body_took_is_given_back(client: Http2Client) -> None:
    for _ in range(30):
        stream = begin(client, "/unread", ended=False)
        await client.send(stream, b"x" * 60_000, ended=False)
        client.h2.reset_stream(stream)
        client.flush()
    await answered(client)


@pytest.mark.parametrize("window", [1, 100])
async def test_who_writes_waits_for_who_reads_little(client: Http2Client, app: App, window: int) -> None:
    client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
    client.reads = False
    stream = begin(client, "/endless")
    for _ in range(20):
        await answered(client)
    assert (app.sent, len(client.body(stream))) == (1, window)
    client.h2.increment_flow_control_window(60_000, stream)
    client.flush()
    await eventually(lambda: app.sent == 2, "it goes on")


@pytest.mark.parametrize("way", ["reset", "leave"])
async def test_who_waits_for_a_client_to_read_waits_no_longer_than_it_is_there(
    client: Http2Client, app: App, way: str
) -> None:
    client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
    stream = begin(client, "/endless")
    await eventually(lambda: client.status(stream) == 200, "it has begun")
    if way == "reset":
        client.h2.reset_stream(stream)
        client.flush()
    else:
        await client.close()
    await eventually(lambda: not app.open, "the app is done")


async def test_an_answer_that_breaks_off_is_told_so(client: Http2Client) -> None:
    stream = begin(client, "/broken")
    await eventually(lambda: client.over(stream), "the end")
    assert code(client, stream) == ErrorCodes.INTERNAL_ERROR
    await answered(client)


async def test_nothing_stays_of_streams_that_are_over(
    client: Http2Client, app: App, served: list[Connection]
) -> None:
    for _ in range(3):
        paths = ["/unread", "/endless", "/broken", "/"] * 15
        streams = [begin(client, path, ended=False) for path in paths]
        for stream in streams:
            client.h2.reset_stream(stream)
        client.flush()
        app.go_on.set()
        await eventually(lambda: not app.open, "they are over")
    await answered(client)
    held = served[0].protocol.protocol
    assert isinstance(held, protocol.Http2)
    await eventually(lambda: not (held.streams or held.stream_buffers or held._unread or held._unfinished))
    assert (list(held.priority._streams), held._running) == ([0], 0)


async def test_who_is_answered_early_is_asked_to_stop(
    client: Http2Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 0.0)
    stream = begin(client, "/early", ended=False)
    await eventually(lambda: code(client, stream) is not None, "it is reset")
    assert code(client, stream) == ErrorCodes.NO_ERROR
    assert client.body(stream) == b"0"
    await answered(client)


@pytest.mark.parametrize("path", ["/ü", "/\x80"])
async def test_what_is_no_address_is_refused_alone(client: Http2Client, path: str) -> None:
    stream = begin(client, path)
    await eventually(lambda: client.status(stream) == 400, "refused")
    await answered(client)


def priorities() -> Iterator[Frame]:
    for n in range(1, 600, 2):
        yield PriorityFrame(n, depends_on=n + 2, exclusive=True, stream_weight=1)
        yield PriorityFrame(n + 2, depends_on=n, stream_weight=1)


async def test_priorities_are_not_looked_at(client: Http2Client) -> None:
    client._writer.write(b"".join(frame.serialize() for frame in priorities()))
    await answered(client)


@pytest.mark.parametrize(
    "frame",
    [
        PingFrame(0, b"12345678"),
        SettingsFrame(0),
        WindowUpdateFrame(0, 1),
        PriorityFrame(9, stream_weight=1),
        DataFrame(1),
    ],
)
async def test_who_only_keeps_us_busy_is_sent_away(client: Http2Client, frame: Frame) -> None:
    assert begin(client, "/unread", ended=False) == 1
    client._writer.write(frame.serialize() * 1_500)
    await eventually(lambda: code(client) is not None, "the end")
    assert code(client) == ErrorCodes.ENHANCE_YOUR_CALM


async def test_who_takes_everything_back_is_sent_away(client: Http2Client, app: App) -> None:
    while code(client) is None:
        stream = begin(client, "/unread")
        client.h2.reset_stream(stream)
        client.flush()
        assert len(app.open) <= 200
        await asyncio.sleep(0)
    assert code(client) == ErrorCodes.ENHANCE_YOUR_CALM


async def test_apps_of_lost_streams_leave_no_room_for_more(
    client: Http2Client, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "_RUNNING", 3)
    for _ in range(3):
        stream = begin(client, "/unread")
        client.h2.reset_stream(stream)
    refused = begin(client, "/")
    await eventually(lambda: client.over(refused), "refused")
    assert code(client, refused) == ErrorCodes.REFUSED_STREAM
    app.go_on.set()
    await eventually(lambda: not app.open, "they are over")
    await answered(client)


async def test_header_fields_are_bounded_as_configured(client: Http2Client) -> None:
    client.begin((":method", "GET"), (":scheme", "http"), (":path", "/"), ("x-large", "y" * 20_000))
    await asyncio.wait_for(client._task, SECONDS)
    assert code(client) is not None


async def test_a_client_that_works_hard_is_not_sent_away(
    client: Http2Client, served: list[Connection]
) -> None:
    held = served[0].protocol.protocol
    assert isinstance(held, protocol.Http2)
    held._calm._left = 30
    for _ in range(4):
        streams = [begin(client, "/") for _ in range(20)]
        for stream in streams:
            client.h2.increment_flow_control_window(1_000, stream)
        client.h2.ping(b"12345678")
        client.flush()
        await eventually(partial(lambda found: all(map(client.over, found)), streams), "all answers")
    assert code(client) is None
