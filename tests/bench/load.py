"""A closed-loop HTTP/1.1 load generator: a fixed number of connections, each sends when it has read its
answer.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from typing import cast
from urllib.parse import urlsplit

from msgspec import Struct


class Result(Struct, frozen=True):
    """Latencies in milliseconds. `bad` counts answers that were not 200."""

    per_second: float
    p50_ms: float
    p99_ms: float
    bad: int
    sample: bytes


def request(url: str, body: bytes, headers: dict[str, str]) -> bytes:
    """One POST as bytes."""
    parts = urlsplit(url)
    lines = [f"POST {parts.path} HTTP/1.1", f"host: {parts.netloc}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode() + body


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], latencies: list[float]) -> None:
        self.requests = requests
        self.latencies = latencies
        self.bad = 0
        self.sample = b""
        self.stopping = False
        self.done = asyncio.get_running_loop().create_future()
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def _next(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not _complete(self._buffer):
            return
        self.latencies.append(time.perf_counter() - self._sent)
        if not self._buffer.startswith(b"HTTP/1.1 200"):
            self.bad += 1
            self.sample = self._buffer
        self._buffer = b""
        if self.stopping:
            self._transport.close()
        else:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.stopping:
            self.bad += 1
            self.sample = self.sample or b"the connection was closed"
        if not self.done.done():
            self.done.set_result(None)


def _complete(buffer: bytes) -> bool:
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = buffer[:end].lower()
    place = head.find(b"content-length:")
    if place >= 0:
        length = int(head[place + 15 :].split(b"\r\n", 1)[0])
        return len(buffer) >= end + 4 + length
    return buffer.endswith(b"0\r\n\r\n")


async def load(url: str, requests: list[bytes], *, connections: int, seconds: float) -> Result:
    """Loads `url` with the given requests, round and round, for `seconds`."""
    loop = asyncio.get_running_loop()
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    latencies: list[float] = []
    turns = itertools.cycle(requests)
    began = time.perf_counter()
    open_connections = [
        (await loop.create_connection(lambda: _Connection(turns, latencies), host, port))[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    count = len(latencies)
    for connection in open_connections:
        connection.stopping = True
    await asyncio.wait_for(asyncio.gather(*(c.done for c in open_connections)), 10)
    ordered = sorted(latencies) or [0.0]
    return Result(
        per_second=count / took,
        p50_ms=ordered[len(ordered) // 2] * 1000,
        p99_ms=ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000,
        bad=sum(c.bad for c in open_connections),
        sample=next((c.sample for c in open_connections if c.sample), b""),
    )
