"""Many open streams of all kinds before the edges of a fleet: a model's, a tool's, an agent's and those of a
plain HTTP service. Each notes what it has read and when it ended.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

from tests.bench.calls import JSON, MCP_META
from tests.bench.load import request
from tests.support.wait import eventually

KINDS = ("chat", "tool", "agent", "route")
RULE = {"id": "crowd", "sub": "*", "dom": "*", "obj": "*", "act": "*"}
Json = dict[str, Any]


def sections(upstream: str) -> dict[str, Any]:
    """The configuration of services before an upstream that `tests/support/endless.py` serves."""
    target = {"provider": "up", "model": "endless-1"}
    return {
        "policy": {"rules": [RULE]},
        "llm_gateway": {
            "providers": {"up": {"base_url": f"{upstream}/v1"}},
            "models": {"fast": {"targets": [target]}},
        },
        "mcp_gateway": {"servers": {"tools": {"transport": {"type": "http", "url": f"{upstream}/mcp"}}}},
        "agent_gateway": {"agents": {"patient": {"url": f"{upstream}/a2a"}}},
        "api_gateway": {
            "routes": [{"name": "feed", "prefix": "/feed", "strip_prefix": True, "urls": [upstream]}]
        },
    }


class Stream(asyncio.Protocol):
    """One request whose answer does not end by itself. `ended_ns` is when its last byte, or the end of its
    connection, was read (CLOCK_MONOTONIC).
    """

    def __init__(self, kind: str, payload: bytes) -> None:
        self.kind = kind
        self.ended_ns = 0
        self.read_ns = 0
        self.ticks = 0
        self.last = b""
        self._payload = payload
        self._over = False

    @property
    def open(self) -> bool:
        return self.ticks > 0 and not self.ended_ns

    @property
    def refused(self) -> bool:
        return bool(self.last) and not self._head.startswith(b"HTTP/1.1 200")

    @property
    def chain(self) -> str:
        """The id of its chain, as the head of the answer says it."""
        return self._head.partition(b"x-gatestack-chain: ")[2].partition(b"\r\n")[0].decode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._head = b""
        self._transport.write(self._payload)

    def data_received(self, data: bytes) -> None:
        self.read_ns = time.monotonic_ns()
        if not self.ticks:
            self._head += data
        self.ticks += data.count(b"data: ")
        self.last = (self.last + data)[-2000:]
        if self.last.endswith(b"0\r\n\r\n"):
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self.read_ns = self.read_ns or time.monotonic_ns()
        self._end()

    def close(self) -> None:
        self._transport.abort()

    def _end(self) -> None:
        if not self.ended_ns:
            self.ended_ns = time.monotonic_ns()
            self._transport.close()


async def opened(edge: str, kind: str, key: str) -> Stream:
    """A stream that has begun."""
    parts = urlsplit(edge)
    stream = Stream(kind, _PAYLOADS[kind](edge, key))
    host, port = parts.hostname or "", parts.port or 80
    await asyncio.get_running_loop().create_connection(lambda: stream, host, port)
    await eventually(lambda: stream.ticks > 0 or stream.refused or stream.ended_ns, f"a stream of {kind}")
    assert stream.open, stream.last
    return stream


async def crowd(edges: list[str], keys: list[str], each: int) -> list[Stream]:
    """`each` streams of every kind for every key, spread over the edges; first all of the first key."""
    wanted = [(kind, key) for key in keys for kind in KINDS for _ in range(each)]
    gate = asyncio.Semaphore(20)

    async def one(place: int, kind: str, key: str) -> Stream:
        async with gate:
            return await opened(edges[place % len(edges)], kind, key)

    return list(await asyncio.gather(*(one(place, *what) for place, what in enumerate(wanted))))


def _chat(edge: str, key: str) -> bytes:
    body = {"model": "fast", "stream": True, "messages": [{"role": "user", "content": "count"}]}
    return _post(f"{edge}/v1/chat/completions", key, body)


def _tool(edge: str, key: str) -> bytes:
    name = "tools__endless"
    params = {"name": name, "arguments": {}, "_meta": MCP_META | {"progressToken": "p"}}
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": name}
    return _post(f"{edge}/mcp", key, _rpc("tools/call", params), headers)


def _agent(edge: str, key: str) -> bytes:
    message = {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": "work"}]}
    body = _rpc("SendStreamingMessage", {"message": message})
    return _post(f"{edge}/agents/patient", key, body, {"a2a-version": "1.0"})


def _route(edge: str, key: str) -> bytes:
    return _post(f"{edge}/feed/events", key, {})


def _rpc(method: str, params: Json) -> Json:
    return {"jsonrpc": "2.0", "id": "r1", "method": method, "params": params}


def _post(url: str, key: str, body: Json, headers: dict[str, str] | None = None) -> bytes:
    sent = JSON | {"authorization": f"Bearer {key}"} | (headers or {})
    # The upstream looks for what is written without spaces, as clients write it.
    return request(url, json.dumps(body, separators=(",", ":")).encode(), sent)


_PAYLOADS: dict[str, Callable[[str, str], bytes]] = {
    "chat": _chat,
    "tool": _tool,
    "agent": _agent,
    "route": _route,
}
