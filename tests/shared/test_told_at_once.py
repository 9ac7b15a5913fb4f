"""Who is refused in the middle of what it sends is told at once, hears all of it however much it still sends,
and leaves nothing behind: over each protocol, under both servers.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from msgspec import Struct

from shared import connection, early_answer, http2
from shared.asgi import Exchange, Message, Receive, Scope, Send
from shared.connection import Connection
from shared.dialects.openai import OpenAI
from shared.errors import TooLarge
from shared.server import ServerName
from tests.support.exchange import Wire, exchange
from tests.support.frame import CALLER, Frame, OpenWire
from tests.support.sending import PIECE, Sending, http1_sending, http2_sending, http3_sending
from tests.support.serve import serving
from tests.support.tls import Authority
from tests.support.wait import SECONDS, eventually

TWENTY_MEGABYTES = 20 * 2**20
TEXT = b"this is too much"


class App:
    """Refuses everybody, in the frame that all services have. `said` is what was told and read, in turn."""

    def __init__(self) -> None:
        self.frame = Frame()
        self.said: list[str] = []
        self.open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def read() -> Message:
            message = await receive()
            self.said.append(message["type"])
            return message

        async def tell(message: Message) -> None:
            self.said.append(message["type"])
            await send(message)

        if scope["type"] == "http":
            self.open += 1
            try:
                async with self.frame.account(Exchange(scope, read, tell), OpenAI()) as flight:
                    flight.identify(CALLER)
                    raise TooLarge(TEXT.decode())
            finally:
                self.open -= 1


class World(Struct, frozen=True):
    """`begin` is one client's request; `lingering` are granian's requests that are still read away."""

    app: App
    begin: Callable[[], contextlib.AbstractAsyncContextManager[Sending]]
    lingering: list[object]


@pytest.fixture
def lingering(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    reading: list[object] = []

    class Watched(early_answer._Answer):
        async def end(self) -> None:
            reading.append(self)
            try:
                await super().end()
            finally:
                reading.remove(self)

    monkeypatch.setattr(early_answer, "_Answer", Watched)
    for module in (connection, http2, early_answer):
        monkeypatch.setattr(module, "LINGER_SECONDS", 10 * SECONDS)
    return reading


WAYS: list[tuple[ServerName, str]] = [
    ("hypercorn", "http1"),
    ("hypercorn", "http2"),
    ("hypercorn", "http3"),
    ("granian", "http1"),
    ("granian", "http2"),
]


@pytest.fixture(params=WAYS, ids=["-".join(way) for way in WAYS])
async def world(
    tmp_path: Path, request: pytest.FixtureRequest, lingering: list[object]
) -> AsyncIterator[World]:
    server, protocol = request.param
    authority, app = Authority(tmp_path), App()
    tls = authority.tls(http3=True) if server == "hypercorn" else None
    trust = ssl.create_default_context(cafile=str(authority.path)) if tls is not None else None
    async with serving(app, tls, by=server) as url:
        port = int(url.rpartition(":")[2])

        def begin() -> contextlib.AbstractAsyncContextManager[Sending]:
            if protocol == "http3":
                return http3_sending(port, authority.path)
            return (http1_sending if protocol == "http1" else http2_sending)(port, trust)

        yield World(app, begin, lingering)


async def _over(world: World, served: list[Connection]) -> None:
    await eventually(lambda: not (world.app.open or world.lingering or served), "nothing of it is left")
    assert world.app.frame.entry["outcome"] == "refused"


async def test_who_sends_twenty_megabytes_hears_the_whole_refusal(
    world: World, served: list[Connection]
) -> None:
    async with world.begin() as client, asyncio.timeout(2 * SECONDS):
        for _ in range(TWENTY_MEGABYTES // len(PIECE)):
            await client.piece()
        await client.end()
        await eventually(lambda: client.heard.whole, "the whole answer")
        assert (client.heard.status, TEXT in client.heard.body) == (413, True)
    await _over(world, served)


async def test_it_is_told_before_the_rest_is_sent(world: World, served: list[Connection]) -> None:
    async with world.begin() as client:
        await client.piece()
        await eventually(lambda: TEXT in client.heard.body, "it is told")
        assert client.heard.status == 413
        assert world.app.said == ["http.response.start", "http.response.body"]
    await _over(world, served)


async def _lingered(wire: Wire, **request: object) -> list[Message]:
    """What a server is given to send of an answer that looks at nothing."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Exchange(scope, receive, send).reply(413, [], b"no")

    one = exchange(wire=wire, **request)  # type: ignore[arg-type]
    await early_answer.lingering(app)(one.scope, wire.receive, wire.send)
    return wire.sent


async def test_who_never_comes_to_an_end_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_answer, "LINGER_SECONDS", 0.01)
    wire = OpenWire()
    wire.incoming = [{"type": "http.request", "body": b"x", "more_body": True}]
    start, *pieces = await asyncio.wait_for(
        _lingered(wire, headers={"transfer-encoding": "chunked"}), SECONDS
    )
    assert start["headers"] == []
    assert [(piece["body"], piece["more_body"]) for piece in pieces] == [(b"no", True), (b"", False)]


async def test_a_request_without_a_body_is_answered_as_it_is() -> None:
    sent = await asyncio.wait_for(_lingered(OpenWire(), method="GET"), SECONDS)
    assert [message.get("more_body") for message in sent] == [None, False]
    assert sent[0]["headers"] == [(b"content-length", b"2")]
