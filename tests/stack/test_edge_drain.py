"""An edge process that is told to stop brings to its end what it has begun, queued requests included."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec

from shared.errors import UpstreamFault
from shared.http_client import HttpClient
from tests.api_gateway.scripted import Script
from tests.support.serve import serving
from tests.support.service_process import ServiceProcess, service_process
from tests.support.wait import eventually

OPEN = 20


def edge(directory: Path, service: str) -> AbstractAsyncContextManager[ServiceProcess]:
    route = {
        "name": "shop",
        "prefix": "/shop",
        "urls": [service],
        "concurrency": {"limit": OPEN // 2, "queue": OPEN, "wait_seconds": 60},
    }
    rules = [
        {"sub": "user:alice", "dom": "acme", "obj": "route:*", "act": "*"},
        {"sub": "user:operator", "dom": "system", "obj": "*", "act": "*"},
    ]
    config = {
        "state": {"dir": "state"},
        "identity": {"keys_dir": "keys"},
        "policy": {"rules": rules},
        "api_gateway": {"routes": [route]},
    }
    return service_process("api_gateway", directory, config)


async def _key(client: HttpClient, url: str, operator: Path) -> str:
    """Alice's, as soon as the edge obeys its policy."""
    secret = (
        await eventually(lambda: operator.exists() and operator.read_text(), "the operator's key")
    ) or ""
    body = msgspec.json.encode({"sub": "user:alice", "tenant": "acme"})
    headers = [("authorization", f"Bearer {secret.strip()}"), ("content-type", "application/json")]

    async def made() -> str:
        async with await client.send("POST", f"{url}/admin/api/keys", headers=headers, body=body) as reply:
            answer = await reply.read(1 << 20)
            return str(msgspec.json.decode(answer)["secret"]) if reply.status == 201 else ""

    return await eventually(made, "a key")


async def test_an_edge_that_stops_loses_none_of_its_requests(tmp_path: Path) -> None:
    script, client = Script(), HttpClient()
    async with serving(script) as service, edge(tmp_path, service) as served:
        url = served.url
        key = await _key(client, url, tmp_path / "state" / "operator.key")

        async def ask() -> int:
            headers = [("authorization", f"Bearer {key}")]
            async with await client.send("GET", f"{url}/shop/x", headers=headers) as reply:
                await reply.read(1 << 20)
                return reply.status

        async def answered() -> bool:
            return await ask() == 200

        await eventually(answered, "the key is known")
        script.held = asyncio.Event()
        script.asked.clear()
        begun = [asyncio.create_task(ask()) for _ in range(OPEN)]
        await eventually(lambda: len(script.asked) == OPEN // 2, "half of them are at the service")

        async def queued() -> bool:
            async with await client.send("GET", f"{url}/metrics") as reply:
                lines = (await reply.read(1 << 20)).decode().splitlines()
            waiting = next(line for line in lines if line.startswith("gatestack_edge_requests_waiting{"))
            return float(waiting.split()[-1]) == OPEN // 2

        await eventually(queued, "and half in the queue")
        served.process.terminate()

        async def closed() -> bool:
            try:
                return await ask() != 200
            except UpstreamFault:
                return True

        late = asyncio.create_task(eventually(closed, "it takes no new ones"))
        script.held.set()
        assert await asyncio.gather(*begun) == [200] * OPEN
        await late
        assert await asyncio.wait_for(served.process.wait(), 30) == 0
        assert len(script.asked) >= OPEN
    await client.close()
