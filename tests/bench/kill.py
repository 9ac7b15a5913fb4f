"""Time to effect of the kill switch: from sending the order to the end of the stream it cuts, through edge
and LLM gateway.
"""

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shared.http_client import HttpClient
from tests.bench import stack
from tests.bench.calls import JSON, stack_key
from tests.bench.load import request

ROUNDS, STREAMS = 40, 5
_BODY = b'{"model":"bench","stream":true,"messages":[{"role":"user","content":"count"}]}'


class Admin:
    def __init__(self, edge: str, key: str) -> None:
        self._client = HttpClient()
        self._edge = edge
        self._headers = [("authorization", f"Bearer {key}"), ("content-type", "application/json")]

    async def call(self, method: str, path: str, body: object = None) -> Any:
        payload = b"" if body is None else json.dumps(body).encode()
        url = f"{self._edge}/admin/api{path}"
        async with await self._client.send(method, url, headers=self._headers, body=payload) as reply:
            return json.loads(await reply.read(2**20))

    async def close(self) -> None:
        await self._client.close()


async def until_cut(url: str, payload: bytes, flowing: asyncio.Event) -> int:
    """Reads a stream until it ends with an error; the moment that the end was read."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(payload)
    seen = b""
    while True:
        data = await asyncio.wait_for(reader.read(65_536), 20)
        seen += data
        if b'"content"' in seen:
            flowing.set()
        if b'"error"' in seen or not data:
            writer.close()
            if b"killed" not in seen:
                raise RuntimeError(f"the stream ended without being killed: {seen[-400:]!r}")
            return time.monotonic_ns()


async def one_round(edge: str, payload: bytes, admin: Admin) -> list[float]:
    """Milliseconds from the order to each stream's end."""
    flowing = [asyncio.Event() for _ in range(STREAMS)]
    streams = [asyncio.create_task(until_cut(edge, payload, event)) for event in flowing]
    for event in flowing:
        await asyncio.wait_for(event.wait(), 10)
    ordered = time.monotonic_ns()
    kill = await admin.call("POST", "/kills", {"selector": {"user": "bench"}, "reason": "bench"})
    ends = await asyncio.gather(*streams)
    await admin.call("DELETE", f"/kills/{kill['id']}")
    return [(end - ordered) / 1_000_000 for end in ends]


async def measure(directory: Path) -> dict[str, dict[str, Any]]:
    directory = directory / "kill"
    directory.mkdir()
    stack.write_jwks(directory)
    log = directory / "log"
    with contextlib.ExitStack() as processes:

        def start(name: str, command: list[str], core: int) -> stack.Running:
            return processes.enter_context(stack.started(name, command, core, log))

        upstream = start("upstream", ["-m", "tests.bench.upstream"], stack.OTHER_CORE)
        config = stack.write_config(directory, upstream.url)
        start("state", ["-m", "tests.bench.state", str(directory / "state")], stack.OTHER_CORE)
        llm = start("llm_gateway", ["-m", "llm_gateway", "--config", str(config)], stack.GATEWAY_CORE)
        stack.set_gateways(config, {"llm_gateway": llm.url})
        edge = start("api_gateway", ["-m", "api_gateway", "--config", str(config)], stack.GATEWAY_CORE)
        operator = directory / "state" / "operator.key"
        key = await stack_key(edge.url, operator)
        admin = Admin(edge.url, operator.read_text().strip())
        payload = request(f"{edge.url}/v1/chat/completions", _BODY, JSON | {"authorization": f"Bearer {key}"})
        times = [moment for _ in range(ROUNDS) for moment in await one_round(edge.url, payload, admin)]
        await admin.close()
    ordered = sorted(times)
    return {
        "kill.p50_ms": {
            "value": ordered[len(ordered) // 2],
            "unit": "ms",
            "ratio": None,
            "against": "order to cut stream",
        },
        "kill.p99_ms": {
            "value": ordered[int(len(ordered) * 0.99)],
            "unit": "ms",
            "ratio": None,
            "against": "order to cut stream",
        },
    }
