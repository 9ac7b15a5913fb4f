"""Replicas of a service on loopback addresses that share a port, and an edge in front of them whose DNS the
test writes.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from api_gateway.app import SERVICE
from api_gateway.balance import watch
from api_gateway.balance.pool import Pool
from api_gateway.control import Control
from shared import server
from shared.asgi import Exchange, Receive, Scope, Send
from shared.http_client import HttpClient
from shared.identity.keys import KeyRecord
from tests.support.serve import Running, running
from tests.support.wait import eventually

NAME = "shop.test"
_GRACE_SECONDS = 3.0


class Replica:
    """Answers with its name. `held` keeps its requests until the event is set; `status` is what it says."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.status = 200
        self.hits: list[str] = []
        self.open = 0
        self.held: asyncio.Event | None = None
        self._stop = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        self.hits.append(f"{exchange.method} {exchange.path}")
        self.open += 1
        try:
            body = await exchange.body(1 << 24)
            if self.held is not None:
                await self.held.wait()
            await exchange.reply(self.status, [(b"x-replica", self.name.encode())], body)
        finally:
            self.open -= 1

    async def start(self, host: str, port: int = 0) -> int:
        """Listens, and returns its port."""
        listener = server.bind(f"{host}:{port}")
        ready = asyncio.Event()
        self._stop.clear()

        async def serve() -> None:
            with contextlib.closing(listener):
                await server.serve(self, listener, self._stop, grace_seconds=_GRACE_SECONDS, ready=ready.set)

        self._serving = asyncio.create_task(serve())
        await ready.wait()
        return int(listener.getsockname()[1])

    async def stop(self) -> None:
        """Stops as a service does: what is open may end first."""
        serving, self._serving = self._serving, None
        if serving is not None:
            self._stop.set()
            await serving


class Shop:
    """The replicas, the edge in front of them at `/shop`, and what DNS says of them."""

    def __init__(self) -> None:
        self.port = self.asked = 0
        self.known: list[str] = []
        self.replicas: dict[str, Replica] = {}
        self.http = HttpClient()
        self.key = ""
        self.edge: Running

    async def lookup(self, host: str, port: int) -> list[str]:
        assert (host, port) == (NAME, self.port)
        self.asked += 1
        return list(self.known)

    async def add(self, number: int) -> Replica:
        """A replica that listens; DNS does not know it yet."""
        host = f"127.0.0.{number}"
        replica = self.replicas[host] = Replica(host)
        self.port = await replica.start(host, self.port)
        return replica

    @property
    def pool(self) -> Pool:
        """The route's main pool."""
        watched: watch.Watch = self.edge.app.state.watch
        return next(pool for pool in watched.pools if any(NAME in one for one in pool.addresses))

    async def ask(
        self, path: str = "/shop/x", *, method: str = "POST", body: Any = b"", key: str = "", **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        """Status, which replica answered, and all headers."""
        sent = [("authorization", f"Bearer {key or self.key}")]
        sent += [(name.replace("_", "-"), value) for name, value in headers.items()]
        async with await self.http.send(method, self.edge.url + path, headers=sent, body=body) as reply:
            await reply.read(1 << 24)
            got = {name.decode(): value.decode() for name, value in reply.headers}
            return reply.status, got.get("x-replica", ""), got

    async def new_key(self, sub: str) -> str:
        control: Control = self.edge.app.state.control
        secret, _ = await control.create_key(KeyRecord(id="", hash="", sub=sub, tenant="acme"))
        await eventually(lambda: self.edge.parts.keyring.find(secret), "the key is known")
        return secret

    async def gauges(self) -> dict[str, float]:
        async with await self.http.send("GET", f"{self.edge.url}/metrics") as reply:
            lines = (await reply.read(1 << 20)).decode().splitlines()
        plain = [line.rpartition(" ") for line in lines if line.startswith("gatestack_") and "," not in line]
        return {name.partition("{")[0]: float(value) for name, _, value in plain}


@contextlib.asynccontextmanager
async def shop(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    *,
    gateways: dict[str, Any] | None = None,
    **route: Any,
) -> AsyncIterator[Shop]:
    """`count` replicas that DNS knows, behind an edge with `route`'s fields."""
    made = Shop()
    monkeypatch.setattr(watch, "_lookup", made.lookup)
    try:
        for number in range(1, count + 1):
            replica = await made.add(number)
            made.known.append(replica.name)
        async with running(SERVICE, _config(made.port, route, gateways), directory) as made.edge:
            await eventually(
                lambda: {"keys", "kills", "policy"} <= made.edge.parts.snapshots.epochs().keys(), "the start"
            )
            made.key = await made.new_key("user:alice")
            yield made
    finally:
        await asyncio.gather(*(replica.stop() for replica in made.replicas.values()))
        await made.http.close()


@contextlib.contextmanager
def holding(*replicas: Replica) -> Iterator[asyncio.Event]:
    """Requests to these replicas wait until the event is set or the block is left."""
    event = asyncio.Event()
    for replica in replicas:
        replica.held = event
    try:
        yield event
    finally:
        event.set()
        for replica in replicas:
            replica.held = None


def _config(port: int, route: dict[str, Any], gateways: dict[str, Any] | None) -> dict[str, Any]:
    whole = {"name": "shop", "prefix": "/shop", "urls": [f"dns:http://{NAME}:{port}"], **route}
    whole["balance"] = {"dns_seconds": 0.05, "slow_start_seconds": 0, **route.get("balance", {})}
    return {
        "policy": {"rules": [{"sub": "*", "dom": "acme", "obj": "route:*", "act": "*"}]},
        "api_gateway": {"routes": [whole], "gateways": gateways or {}},
    }
