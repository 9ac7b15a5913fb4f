"""Fifty servers, three replicas, five hundred clients with sessions; one replica is killed, and every client
goes on.
"""

import asyncio
import contextlib
import os
import signal
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.clock import Clock
from shared.errors import UpstreamFault
from shared.http_client import HttpClient
from shared.redis_client import Redis
from shared.snapshots import Snapshots
from shared.valkey import EmbeddedValkey
from tests.mcp_gateway.gateway import SESSION_VERSION, rule
from tests.support.mcp_shifting import Shifting, tool
from tests.support.serve import Edge, serving, someone
from tests.support.service_process import ServiceProcess, service_process
from tests.support.stack import START_SECONDS
from tests.support.wait import eventually

SERVERS, TOOLS, REPLICAS, CLIENTS, CALLS = 50, 20, 3, 500, 2
# Each list is a thousand tools: one client of so many asks for it.
LISTERS = 5
HELLO = {"protocolVersion": SESSION_VERSION, "capabilities": {}, "clientInfo": {}}
_JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


class Many:
    """All servers behind one address: `/s<number>/mcp`."""

    def __init__(self) -> None:
        names = [f"do_{number}" for number in range(TOOLS)]
        self._servers = {f"/s{n}/mcp": Shifting(*map(tool, names)) for n in range(SERVERS)}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._servers[scope["path"]](scope, receive, send)


class Client:
    """One of many: it has a session, and asks the next replica when one does not answer."""

    def __init__(self, number: int, urls: list[str], http: HttpClient, edge: Edge) -> None:
        self._number = number
        self._urls = urls
        self._http = http
        caller = someone(f"user:u{number}")
        self._headers = _JSON | {"txn-token": edge.token(caller, audience="mcp_gateway", ttl=120)}
        self._at = number % len(urls)
        self.moved = 0
        self.done = 0

    async def live(self, half: asyncio.Event, killed: asyncio.Event) -> None:
        await self.ask("initialize", HELLO)
        if self._number % LISTERS == 0:
            listed = await self.ask("tools/list", {})
            assert len(listed["result"]["tools"]) == SERVERS * TOOLS
        for call in range(CALLS):
            if call == CALLS // 2:
                half.set()
            name = f"s{(self._number + call) % SERVERS}__do_{call}"
            answer = await self.ask("tools/call", {"name": name, "arguments": {}})
            assert answer["result"]["content"][0]["text"] == "fine", answer
            self.done += 1
        # Whoever was quicker than the killing goes on after it, too.
        await killed.wait()
        assert "result" in await self.ask("tools/call", {"name": "s0__do_0", "arguments": {}})

    async def ask(self, method: str, params: dict[str, Any]) -> Any:
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        for _ in self._urls:
            try:
                return await self._asked(body)
            except UpstreamFault:
                self._at = (self._at + 1) % len(self._urls)
                self.moved += 1
        raise AssertionError("no replica answers")

    async def _asked(self, body: bytes) -> Any:
        url = f"{self._urls[self._at]}/mcp"
        headers = list(self._headers.items())
        async with await self._http.send("POST", url, headers=headers, body=body, header_timeout=90) as reply:
            answer = await reply.read(2**24)
            assert reply.status == 200, answer
            session = reply.header("mcp-session-id")
            if session:
                self._headers |= {"mcp-session-id": session, "mcp-protocol-version": SESSION_VERSION}
            return msgspec.json.decode(answer)


def _replica(
    home: Path, edge: Edge, redis: str, upstream: str
) -> AbstractAsyncContextManager[ServiceProcess]:
    home.mkdir()
    servers = {
        f"s{n}": {"transport": {"type": "http", "url": f"{upstream}/s{n}/mcp", "era": "stateless"}}
        for n in range(SERVERS)
    }
    config = {
        "state": {"dir": str(home / "state"), "redis": redis},
        "identity": {"keys_dir": str(home / "keys"), "trust": {"api_gateway": str(edge.jwks)}},
        "kill": {"max_age_seconds": 60},
        "policy": {"rules": [rule()]},
        "mcp_gateway": {"servers": servers, "catalog_seconds": 600},
    }
    return service_process("mcp_gateway", home, config)


async def _ready(url: str, http: HttpClient, edge: Edge) -> bool:
    """Whether a replica has read the lists of all servers."""
    first = Client(0, [url], http, edge)
    with contextlib.suppress(AssertionError):
        await first.ask("initialize", HELLO)
        return len((await first.ask("tools/list", {}))["result"]["tools"]) == SERVERS * TOOLS
    return False


@pytest.mark.timeout(180)
async def test_every_client_goes_on_when_one_of_three_replicas_is_killed(
    tmp_path: Path, valkey: EmbeddedValkey, redis: Redis
) -> None:
    edge, http = Edge(tmp_path), HttpClient()
    await Snapshots(redis, None, Clock()).publish("kills", b"[]", 1, edge.signer)
    await Snapshots(redis, None, Clock()).publish("keys", b"[]", 1, edge.signer)
    async with contextlib.AsyncExitStack() as opened:
        opened.push_async_callback(http.close)
        upstream = await opened.enter_async_context(serving(Many()))
        begun = [_replica(tmp_path / f"r{n}", edge, valkey.url, upstream) for n in range(REPLICAS)]
        replicas = await asyncio.gather(*map(opened.enter_async_context, begun))
        for each in replicas:
            ready = partial(_ready, each.url, http, edge)
            await eventually(ready, f"{each.url} ready", seconds=START_SECONDS)
        clients = [Client(n, [each.url for each in replicas], http, edge) for n in range(CLIENTS)]
        half, killed = asyncio.Event(), asyncio.Event()
        living = [asyncio.create_task(client.live(half, killed)) for client in clients]
        await half.wait()
        os.kill(replicas[0].process.pid, signal.SIGKILL)
        await replicas[0].process.wait()
        killed.set()
        await asyncio.gather(*living)
    assert all(client.done == CALLS for client in clients)
    # All that were there had to move, and nobody else had any reason to.
    assert [bool(client.moved) for client in clients] == [n % REPLICAS == 0 for n in range(CLIENTS)]
