"""HTTP/3: what comes in and goes out, who leaves, who does not read, and requests that would break it."""

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from aioquic.h3.connection import ErrorCode

from shared.asgi import Exchange, Receive, Scope, Send
from shared.server import Clients
from tests.support.http3 import Http3Client, dialled
from tests.support.serve import serving
from tests.support.tls import HOST, Authority
from tests.support.tls_app import app
from tests.support.wait import SECONDS, eventually

Handler = Callable[[Exchange], Awaitable[None]]
CHUNK = b"x" * 65_536


class Apps:
    """An app whose paths are functions; `left` are the paths whose client has gone."""

    def __init__(self) -> None:
        self.left: list[str] = []
        self.written = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        named: dict[str, Handler] = {"/events": self.events, "/flood": self.flood, "/deaf": self.deaf}
        if handler := named.get(exchange.path):
            await handler(exchange)
        elif exchange.path == "/broken":
            await exchange.start(200, [])
            raise RuntimeError
        elif exchange.path == "/nothing":
            return
        else:
            await app(scope, receive, send)

    async def events(self, exchange: Exchange) -> None:
        await exchange.start(200, [(b"content-type", b"text/event-stream")])
        await exchange.write(b"data: 1\n\n")
        await exchange.disconnected()
        self.left.append(exchange.path)

    async def flood(self, exchange: Exchange) -> None:
        await exchange.start(200, [])
        for _ in range(400):
            await exchange.write(CHUNK)
            self.written += len(CHUNK)
        await exchange.finish()

    async def deaf(self, exchange: Exchange) -> None:
        """Answers without having read anything."""
        await exchange.reply(413, [], b"too much")


@contextlib.asynccontextmanager
async def served(
    directory: Path,
    clients: Clients = Clients(),  # noqa: B008  it is frozen
) -> AsyncIterator[tuple[Apps, Http3Client]]:
    authority, apps = Authority(directory), Apps()
    async with (
        serving(apps, authority.tls(http3=True), clients=clients) as url,
        dialled(int(url.rpartition(":")[2]), authority.path) as client,
    ):
        yield apps, client


async def test_it_answers_at_the_port_of_the_others_and_is_announced_there(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serving(app, authority.tls(http3=True)) as url:
        port = int(url.rpartition(":")[2])
        async with httpx.AsyncClient(verify=authority.client()) as client:
            announced = (await client.get(f"https://{HOST}:{port}")).headers["alt-svc"]
        async with dialled(port, authority.path) as peer:
            status, body = await peer.ask("POST", "/x", b"z" * 1_000_000)
    told = msgspec.json.decode(body)
    assert f'h3=":{port}"' in announced
    assert (status, told["version"], told["scheme"], told["read"]) == (200, "3", "https", 1_000_000)


async def test_many_requests_share_a_connection(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, client):
        answers = await asyncio.gather(*(client.ask("POST", "/x", b"y" * n) for n in range(1, 30)))
    assert sorted(msgspec.json.decode(body)["read"] for _, body in answers) == list(range(1, 30))


@pytest.mark.parametrize("way", ["cancel", "close"])
async def test_an_app_learns_that_its_client_has_gone(tmp_path: Path, way: str) -> None:
    async with served(tmp_path) as (apps, client):
        answer = client.begin("GET", "/events")
        await eventually(lambda: answer.body == b"data: 1\n\n", "the first event")
        if way == "cancel":
            client.cancel(answer)
        else:
            client.close()
        await eventually(lambda: apps.left == ["/events"], "the app knows")


async def test_a_silent_answer_keeps_its_connection_and_an_idle_one_is_closed(tmp_path: Path) -> None:
    async with served(tmp_path, Clients(header_seconds=1.0)) as (apps, client):
        answer = client.begin("GET", "/events")
        await eventually(lambda: answer.body == b"data: 1\n\n", "the first event")
        silent = asyncio.create_task(client.wait_closed())
        done, _ = await asyncio.wait([silent], timeout=1.2)
        assert not done
        client.cancel(answer)
        await eventually(lambda: apps.left == ["/events"], "the app knows")
        await asyncio.wait_for(silent, SECONDS)


async def test_an_answer_waits_for_who_reads_it(tmp_path: Path) -> None:
    async with served(tmp_path) as (apps, client):
        heard = client.datagram_received
        answer = client.begin("GET", "/flood")
        await eventually(lambda: answer.size > 0, "the beginning")
        silenced: list[Any] = []
        client.datagram_received = lambda *datagram: silenced.append(datagram)  # type: ignore[method-assign]
        before = -1
        while before != apps.written:
            before = apps.written
            await asyncio.sleep(0.1)
        assert apps.written - answer.size < 4 * 2**20
        client.datagram_received = heard  # type: ignore[method-assign]
        client.cancel(answer)


async def test_a_body_nobody_reads_is_stopped_and_others_go_on(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, client):
        upload = client.begin("POST", "/deaf", ended=False)
        client.say(upload, b"z" * 500_000, ended=False)
        await asyncio.wait_for(upload.done.wait(), SECONDS)
        assert (upload.status, upload.body) == (413, b"too much")
        assert (await client.ask("POST", "/x", b"after"))[0] == 200


async def test_what_an_app_leaves_open_is_broken_off(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, client):
        broken = client.begin("GET", "/broken")
        await asyncio.wait_for(broken.done.wait(), SECONDS)
        assert (broken.status, broken.reset) == (200, ErrorCode.H3_INTERNAL_ERROR)
        assert (await client.ask("GET", "/nothing"))[0] == 500
        assert await client.ask("HEAD", "/flood") == (200, b"")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", b"/\xff\xfe", [], 400),
        ("GET", b"https://other.test/x", [], 400),
        ("GET", b"*", [], 400),
        ("CONNECT", b"/x", [], 400),
        ("GET", b"/x", [(b"big", b"b" * 9_000)] * 8, 431),
    ],
)
async def test_requests_that_are_none_end_alone(
    tmp_path: Path, method: str, path: bytes, headers: list[tuple[bytes, bytes]], status: int
) -> None:
    async with served(tmp_path) as (_, client):
        bad = client.begin(method, path, headers)
        await asyncio.wait_for(bad.done.wait(), SECONDS)
        assert bad.status == status
        assert (await client.ask("GET", "/x"))[0] == 200


async def test_noise_at_its_port_harms_nobody(tmp_path: Path) -> None:
    dice = random.Random(7)
    async with served(tmp_path) as (_, client):
        here = client._transport
        assert here is not None
        address = here.get_extra_info("peername") or client._quic._network_paths[0].addr
        with socket.socket(
            socket.AF_INET6 if len(address) == 4 else socket.AF_INET, socket.SOCK_DGRAM
        ) as noise:
            for _ in range(300):
                first = bytes([dice.choice((0xC0, 0xC3, 0x40, 0xE5, 0x00))])
                noise.sendto(first + dice.randbytes(dice.choice((0, 3, 40, 1199))), address)
        assert (await client.ask("GET", "/x"))[0] == 200


async def test_a_server_that_stops_lets_requests_end_and_takes_no_more(tmp_path: Path) -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await going.wait()
        await app(scope, receive, send)

    begun, going = asyncio.Event(), asyncio.Event()
    authority = Authority(tmp_path)
    stack = contextlib.AsyncExitStack()
    url = await stack.enter_async_context(serving(slow, authority.tls(http3=True), grace_seconds=SECONDS))
    async with dialled(int(url.rpartition(":")[2]), authority.path) as client:
        open_ = client.begin("GET", "/x")
        await begun.wait()
        closing = asyncio.create_task(stack.aclose())

        async def refused() -> bool:
            late = client.begin("GET", "/y")
            await asyncio.sleep(0.01)
            return late.reset == ErrorCode.H3_REQUEST_REJECTED

        await eventually(refused, "the stop is heard")
        going.set()
        await asyncio.wait_for(open_.done.wait(), SECONDS)
        assert open_.status == 200
        await closing
