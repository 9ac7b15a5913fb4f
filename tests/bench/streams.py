"""How streams fare on their way through the gateway: each chunk carries the moment it was sent, the reader
subtracts it.

`llm.stream.first_byte_ms` is the first chunk's delay (99th percentile, 50 streams at once, 20 ms pace;
`…_p95_ms` and `…_p50_ms` beside it), `llm.stream.clean` the most streams at once that all keep that pace:
none longer than 1/0.95 of what it should take, no chunk later than five paces.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from msgspec import Struct

from tests.bench import stack, upstream
from tests.bench.calls import JSON
from tests.bench.load import request

STREAMS, ROUNDS, STAGGER_SECONDS = 50, 4, 0.008
LEVELS, TRIES, CHUNKS, SPREAD_SECONDS = (50, 100, 200, 300, 400), 3, 150, 1.0
PACE_SECONDS = 0.02
LATEST_NS = 5 * int(PACE_SECONDS * 1e9)
LONGEST_SECONDS = (CHUNKS - 1) * PACE_SECONDS / 0.95
_STAMP = re.compile(rb'"content":\s*"(\d+)"')
_PATIENCE_SECONDS = 60

Requests = Callable[[int, int], list[bytes]]


class Heard(Struct, frozen=True):
    """The delays of one stream's chunks in nanoseconds, and how long it took from the first to the last."""

    delays: list[int]
    seconds: float

    @property
    def clean(self) -> bool:
        return max(self.delays) <= LATEST_NS and self.seconds <= LONGEST_SECONDS


class _Reader(asyncio.Protocol):
    def __init__(self, payload: bytes) -> None:
        self.done: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        self._payload = payload
        self._rest = b""
        self._delays: list[int] = []
        self._first = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._payload)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self._rest += data
        end = 0
        for match in _STAMP.finditer(self._rest):
            self._delays.append(now - int(match[1]))
            end = match.end()
        if end:
            self._rest = self._rest[end:]
            self._last = now
            self._first = self._first or now
        if b"[DONE]" in self._rest:
            self._transport.close()
            self.done.set_result(Heard(self._delays, (self._last - self._first) / 1e9))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(f"the stream ended early: {self._rest[-400:]!r}"))


async def one_stream(url: str, payload: bytes) -> Heard:
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    _, reader = await loop.create_connection(lambda: _Reader(payload), parts.hostname or "", parts.port or 80)
    return await asyncio.wait_for(reader.done, _PATIENCE_SECONDS)


async def together(url: str, payloads: list[bytes], stagger: float) -> list[Heard]:
    async def later(place: int, payload: bytes) -> Heard:
        # All at once would measure how long all set-ups take one after the other.
        await asyncio.sleep(place * stagger)
        return await one_stream(url, payload)

    return await asyncio.gather(*(later(place, payload) for place, payload in enumerate(payloads)))


async def measure(directory: Path) -> dict[str, dict[str, Any]]:
    directory = directory / "streams"
    directory.mkdir()
    signer = stack.write_jwks(directory)
    log = directory / "log"
    async with contextlib.AsyncExitStack() as opened:
        # Chunks are sent and read in one process: two on one core would wait for each other's time slice, for
        # longer than what is measured.
        scripted = await opened.enter_async_context(upstream.serving())
        processes = opened.enter_context(contextlib.ExitStack())

        def start(name: str, command: list[str], core: int) -> stack.Running:
            return processes.enter_context(stack.started(name, command, core, log))

        config = stack.write_config(directory, scripted)
        state = start("state", ["-m", "tests.bench.state", str(directory / "state")], stack.OTHER_CORE)
        await stack.publish_no_kills(signer, state.url)
        bare = start("bare", ["-m", "tests.bench.bare", scripted], stack.GATEWAY_CORE)
        llm = start("llm_gateway", ["-m", "llm_gateway", "--config", str(config)], stack.GATEWAY_CORE)
        await stack.ready(llm.url)

        def plain(count: int, chunks: int) -> list[bytes]:
            return [_asked(bare.url, chunks, {})] * count

        def signed(count: int, chunks: int) -> list[bytes]:
            tokens = stack.tokens(signer, "llm_gateway", count)
            return [_asked(llm.url, chunks, {"txn-token": token}) for token in tokens]

        first = await _first_bytes(bare.url, plain, llm.url, signed)
        most, bares = await _most_clean(llm.url, signed), await _most_clean(bare.url, plain)
    clean = {"value": most, "unit": "streams", "ratio": most / bares if bares else None}
    return first | {"llm.stream.clean": clean | {"against": f"bare: {bares}"}}


async def _first_bytes(bare_url: str, plain: Requests, url: str, signed: Requests) -> dict[str, Any]:
    bare: list[int] = []
    ours: list[int] = []
    for warmed, payloads in ((bare_url, plain(5, 5)), (url, signed(5, 5))):
        await together(warmed, payloads, STAGGER_SECONDS)
    for _ in range(ROUNDS):
        heard = await together(bare_url, plain(STREAMS, 40), STAGGER_SECONDS)
        bare += [stream.delays[0] for stream in heard]
        heard = await together(url, signed(STREAMS, 40), STAGGER_SECONDS)
        ours += [stream.delays[0] for stream in heard]
    return {
        f"llm.stream.first_byte{name}_ms": _line(_ms(ours, part), f"ms p{part}", _ms(bare, part))
        for name, part in (("", 99), ("_p95", 95), ("_p50", 50))
    }


def _line(value: float, unit: str, bare: float) -> dict[str, Any]:
    return {"value": value, "unit": unit, "ratio": value / bare, "against": f"bare forwarder: {bare:.1f}"}


async def _most_clean(url: str, requests: Requests) -> int:
    """The highest of LEVELS up to which every stream is clean in one of TRIES: a shared machine stands still
    for longer than a stream may be late.
    """
    most = 0
    for level in LEVELS:
        if not await _clean(url, requests, level):
            break
        most = level
    return most


async def _clean(url: str, requests: Requests, level: int) -> bool:
    for _ in range(TRIES):
        heard = await together(url, requests(level, CHUNKS), SPREAD_SECONDS / level)
        if all(stream.clean for stream in heard):
            return True
    return False


def _asked(url: str, chunks: int, headers: dict[str, str]) -> bytes:
    body = b'{"model":"bench","stream":true,"max_tokens":%d,"messages":[{"role":"user","content":"count"}]}'
    return request(f"{url}/v1/chat/completions", body % chunks, JSON | headers)


def _ms(delays: list[int], percent: int) -> float:
    ordered = sorted(delays)
    return ordered[len(ordered) * percent // 100] / 1e6
