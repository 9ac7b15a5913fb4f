"""How an open answer ends that nobody has finished: the service stops, or the client takes nothing of it."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from shared import server
from shared.http_client import HttpClient
from shared.redis_client import Redis
from shared.valkey import EmbeddedValkey
from tests.llm_gateway.gateway import PATH, Gateway, gateway, request
from tests.support.providers import Call, ScriptedProvider, chunk, completion, sending, silence
from tests.support.serve import rows
from tests.support.wait import eventually

ONE = chunk({"role": "assistant", "content": "one"})


async def test_a_stream_that_is_open_when_the_service_stops_ends_with_an_honest_error(
    tmp_path: Path, valkey: EmbeddedValkey, redis: Redis
) -> None:
    async with contextlib.AsyncExitStack() as opened:
        provider = await opened.enter_async_context(ScriptedProvider())
        provider.will(sending([ONE], then=silence))
        http = HttpClient()
        opened.push_async_callback(http.close)
        async with gateway(tmp_path, valkey.url, provider) as gate:
            reply = await http.send(
                "POST",
                gate.url + PATH,
                headers=list(gate.identity().items()),
                body=msgspec.json.encode(request(stream=True)),
            )
            await opened.enter_async_context(reply)
            assert b"one" in await anext(reply.chunks())
            rest = asyncio.create_task(reply.read(65_536))
        last = await rest
    assert b"this server is being stopped: send the call again" in last
    await eventually(provider.last.left.is_set, "the provider is let go")
    [row] = await rows(redis)
    assert (row.outcome, row.reason) == ("stopped", "unavailable")


async def test_a_client_that_reads_nothing_of_a_stream_is_cut_and_so_is_what_it_costs(
    tmp_path: Path, valkey: EmbeddedValkey, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_UNREAD_SECONDS", 0.5)
    async with ScriptedProvider() as provider, gateway(tmp_path, valkey.url, provider) as gate:
        provider.will(flood)
        with deaf(gate, stream=True):
            [row] = await eventually(lambda: rows(redis), "the row")
            assert row.outcome == "client_gone"
            await eventually(lambda: provider.last.left.is_set(), "the provider is let go")
            await eventually(lambda: gate.service.parts.kill.open == 0, "nothing is open")


async def test_a_client_that_does_not_take_the_last_piece_is_not_waited_for_either(
    tmp_path: Path, valkey: EmbeddedValkey, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_UNREAD_SECONDS", 0.5)
    async with ScriptedProvider() as provider, gateway(tmp_path, valkey.url, provider) as gate:
        provider.will(completion("x" * 12_000_000))
        with deaf(gate):
            # It is on record as what it was before its last piece went out; only then nobody takes that.
            [row] = await eventually(lambda: rows(redis), "the row")
            assert row.outcome == "completed"
            await eventually(lambda: gate.service.parts.kill.open == 0, "nothing is open")


async def flood(call: Call) -> None:
    await call.start()
    leaving = asyncio.create_task(call.gone())
    while not call.left.is_set():
        await call.send(ONE * 500)
    await leaving


@contextlib.contextmanager
def deaf(gate: Gateway, **members: object) -> Iterator[None]:
    """A client that asks and never reads."""
    body = msgspec.json.encode(request(**members))
    head = [f"POST {PATH} HTTP/1.1", "host: x", f"content-length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in gate.identity().items()]
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", int(gate.url.rpartition(":")[2])))
        client.sendall("\r\n".join([*head, "", ""]).encode() + body)
        yield
