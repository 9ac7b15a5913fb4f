"""What a request or a connection has made goes when it is over, whatever happened: the garbage collector
would find it as well, at the price of a tenth of all calls.
"""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from shared.account import Flight
from shared.asgi import Exchange, Receive, Scope, Send
from shared.attempts import Breaker, first_success
from shared.clock import Clock
from shared.connection import Connection
from shared.errors import BadRequest, Forbidden, Killed, UpstreamRefused
from tests.support.frame import Frame
from tests.support.serve import serving
from tests.support.wait import SECONDS, eventually


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


async def known_to_its_frame(_: Flight) -> None:
    refused = Forbidden("no")
    raise refused


async def known_to_what_it_caused(_: Flight) -> None:
    wrong = ValueError("a mistake")
    try:
        raise wrong
    except ValueError as error:
        refused = BadRequest("no")
        raise refused from error


async def mistaken(_: Flight) -> None:
    wrong = ValueError("a mistake")
    raise wrong


async def killed(flight: Flight) -> None:
    asyncio.get_running_loop().call_soon(flight.cut, Killed("stopped"))
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError as error:
        ended = error
        raise ended from None


@pytest.mark.parametrize("stage", [known_to_its_frame, known_to_what_it_caused, mistaken, killed])
async def test_a_request_goes_with_the_error_that_ended_it(stage: object) -> None:
    made: list[weakref.ref[object]] = []

    async def noted(flight: Flight, one: Exchange) -> None:
        made.extend((weakref.ref(flight), weakref.ref(one)))
        await stage(flight)  # type: ignore[operator]

    frame = Frame()
    await frame.run(noted)
    frame.kills.cut = None
    del frame
    await eventually(lambda: [each() for each in made] == [None, None])


async def test_a_failure_goes_once_somebody_else_has_answered() -> None:
    failures: list[weakref.ref[object]] = []

    async def attempt(target: str) -> str:
        if target == "first":
            failed = UpstreamRefused("no", upstream_status=500, retryable=True)
            failures.append(weakref.ref(failed))
            raise failed
        return target

    targets = ["first", "second"]
    found = await first_success(targets, attempt, breaker=Breaker(Clock()), name=str)
    assert (found, [each() for each in failures]) == ("second", [None])


async def _answering(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await Exchange(scope, receive, send).reply(200, [])


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"])
async def test_a_connection_goes_with_its_client(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[Connection]] = []

    async def noted(connection: Connection) -> None:
        made.append(weakref.ref(connection))
        await run(connection)

    run = Connection.run
    monkeypatch.setattr(Connection, "run", noted)
    async with serving(_answering) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(said)
        await eventually(lambda: made, "the connection")
        if said:
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
        writer.close()
        await eventually(lambda: not any(each() for each in made), "nothing is left of it")
