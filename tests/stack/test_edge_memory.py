"""A real edge process carries bodies of tens of megabytes, both ways and over each protocol, in memory that
does not grow with them: also when the service behind does not read.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil
import pytest

from shared.asgi import Exchange, Receive, Scope, Send
from tests.support.http3 import dialled
from tests.support.serve import serving
from tests.support.service_process import service_process
from tests.support.tls import Authority
from tests.support.wait import eventually

SIZE = 10_000_000
PIECE = b"x" * 50_000
ALLOWED = 32 * 2**20


class Store:
    """Counts what it is sent once it may, and sends as much as it is asked for."""

    def __init__(self) -> None:
        self.may_read = asyncio.Event()
        self.may_read.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        if exchange.method == "GET":
            # Python's QUIC is slow at both ends.
            size = SIZE if not exchange.query else int(exchange.query)
            await exchange.start(200, [(b"content-length", str(size).encode())])
            for _ in range(size // len(PIECE)):
                await exchange.write(PIECE)
            await exchange.finish()
            return
        await self.may_read.wait()
        seen = 0
        async for chunk in exchange.chunks(None):
            seen += len(chunk)
        await exchange.reply(200, [], str(seen).encode())


class Sent:
    """A body that counts what of it has been taken."""

    def __init__(self, pieces: int) -> None:
        self.taken = 0
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self._pieces):
            yield PIECE
            self.taken += len(PIECE)


class Peak:
    """The most memory that a process has had since `begin`, above what it had then, in bytes."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.grown = 0

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[None]:
        base = self._process.memory_info().rss

        async def look() -> None:
            while True:
                self.grown = max(self.grown, self._process.memory_info().rss - base)
                await asyncio.sleep(0.01)

        task = asyncio.create_task(look())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def edge(directory: Path, authority: Authority, url: str) -> AsyncIterator[tuple[int, int, str]]:
    """Process id, port and a key of an edge of its own before a service."""
    rule = {"id": "all", "sub": "user:operator", "dom": "system", "obj": "route:*", "act": "*"}
    config: dict[str, Any] = {
        "identity": {"keys_dir": "keys", "trust": {}},
        "state": {"dir": "state"},
        "policy": {"rules": [rule]},
        "api_gateway": {
            "tls": msgspec.to_builtins(authority.tls(http3=True)),
            "routes": [{"name": "store", "prefix": "/store", "urls": [url]}],
        },
    }
    async with service_process("api_gateway", directory, config) as edge:
        key = directory / "state" / "operator.key"
        await eventually(lambda: key.exists() and key.read_text().strip(), "a key", seconds=30)
        yield edge.process.pid, edge.port, key.read_text().strip()


@pytest.mark.timeout(180)
async def test_large_bodies_pass_in_constant_memory(tmp_path: Path) -> None:
    authority, store = Authority(tmp_path), Store()
    async with serving(store) as url, edge(tmp_path, authority, url) as (pid, port, key):
        named = {"authorization": f"Bearer {key}"}
        base = f"https://127.0.0.1:{port}/store/x"
        async with (
            httpx.AsyncClient(verify=authority.client(), headers=named, timeout=60) as one,
            httpx.AsyncClient(verify=authority.client(), headers=named, timeout=60, http2=True) as two,
            dialled(port, authority.path) as three,
        ):

            async def allowed() -> bool:
                return (await one.post(base, content=PIECE)).status_code == 200

            await eventually(allowed, "the policy")
            three.keep = 100
            own = [(name.encode(), value.encode()) for name, value in named.items()]

            async def both_ways(client: httpx.AsyncClient) -> None:
                assert (await client.post(base, content=Sent(SIZE // len(PIECE)))).content == b"10000000"
                async with client.stream("GET", base) as answer:
                    assert sum([len(chunk) async for chunk in answer.aiter_bytes()]) == SIZE

            async def over_three() -> None:
                assert (await three.ask("POST", "/store/x", PIECE * 20, own)) == (200, b"1000000")
                answer = three.begin("GET", "/store/x?3000000", own)
                await asyncio.wait_for(answer.done.wait(), 60)
                assert answer.size == 3_000_000

            peak = Peak(pid)
            async with peak.begin():
                await asyncio.gather(both_ways(one), both_ways(two), over_three())
                store.may_read.clear()
                waiting = [Sent(400) for _ in range(4)]
                calls = [
                    asyncio.create_task(client.post(base, content=body))
                    for client, body in zip((one, one, one, two), waiting, strict=True)
                ]
                await eventually(lambda: all(body.taken > 2**20 for body in waiting), "all have begun")

                async def stalled() -> int:
                    before = sum(body.taken for body in waiting)
                    await asyncio.sleep(0.3)
                    return before if before == sum(body.taken for body in waiting) else 0

                assert await eventually(stalled, "no more is taken") < 0.8 * 4 * 400 * len(PIECE)
                store.may_read.set()
                assert [(await call).content for call in calls] == [b"20000000"] * 4
    assert peak.grown < ALLOWED, peak.grown
