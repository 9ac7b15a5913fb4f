"""How long a streamed chunk needs through the gateway: each carries the moment it was sent, the reader
subtracts it.

`llm.stream.first_byte_ms` is the first chunk's delay (99th percentile, 50 streams at once, 20 ms pace),
`llm.stream.clean` the share of streams in which no chunk came later than one pace after it was sent.
"""

import asyncio
import contextlib
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench import stack
from tests.bench.calls import JSON
from tests.bench.load import request

STREAMS, ROUNDS, PACE_NS, STAGGER_SECONDS = 50, 4, 20_000_000, 0.008
_STAMP = re.compile(rb'"content":\s*"(\d+)"')
_BODY = b'{"model":"bench","stream":true,"messages":[{"role":"user","content":"count"}]}'


async def one_stream(url: str, payload: bytes) -> list[int]:
    """The delays of one stream's chunks in nanoseconds."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(payload)
    delays: list[int] = []
    rest = b""
    while b"[DONE]" not in rest:
        data = await asyncio.wait_for(reader.read(65_536), 20)
        now = time.monotonic_ns()
        if not data:
            raise RuntimeError(f"the stream ended early: {rest[-400:]!r}")
        rest += data
        found = list(_STAMP.finditer(rest))
        delays += [now - int(match[1]) for match in found]
        rest = rest[found[-1].end() :] if found else rest
    writer.close()
    return delays


async def measure(directory: Path) -> dict[str, dict[str, Any]]:
    directory = directory / "streams"
    directory.mkdir()
    signer = stack.write_jwks(directory)
    log = directory / "log"
    with contextlib.ExitStack() as processes:

        def start(name: str, command: list[str], core: int) -> stack.Running:
            return processes.enter_context(stack.started(name, command, core, log))

        upstream = start("upstream", ["-m", "tests.bench.upstream"], stack.OTHER_CORE)
        config = stack.write_config(directory, upstream.url)
        state = start("state", ["-m", "tests.bench.state", str(directory / "state")], stack.OTHER_CORE)
        await stack.publish_no_kills(signer, state.url)
        bare = start("bare", ["-m", "tests.bench.bare", upstream.url], stack.GATEWAY_CORE)
        llm = start("llm_gateway", ["-m", "llm_gateway", "--config", str(config)], stack.GATEWAY_CORE)
        plain = [request(f"{bare.url}/v1/chat/completions", _BODY, JSON)] * STREAMS
        bare_first, ours_first, ours_all = [], [], []
        for _ in range(ROUNDS):
            payloads = [
                request(f"{llm.url}/v1/chat/completions", _BODY, JSON | {"txn-token": token})
                for token in stack.tokens(signer, "llm_gateway", STREAMS)
            ]
            bare_first += [delays[0] for delays in await together(bare.url, plain)]
            ours = await together(llm.url, payloads)
            ours_first += [delays[0] for delays in ours]
            ours_all += ours
    first, against = _p99_ms(ours_first), _p99_ms(bare_first)
    clean = sum(max(delays) <= PACE_NS for delays in ours_all) / len(ours_all)
    return {
        "llm.stream.first_byte_ms": {
            "value": first,
            "unit": "ms p99",
            "ratio": first / against,
            "against": "bare forwarder",
        },
        "llm.stream.clean": {
            "value": clean * 100,
            "unit": "%",
            "ratio": None,
            "against": f"{STREAMS} streams at once",
        },
    }


async def together(url: str, payloads: list[bytes]) -> list[list[int]]:
    async def later(place: int, payload: bytes) -> list[int]:
        # All at once would measure how long fifty set-ups take one after the other.
        await asyncio.sleep(place * STAGGER_SECONDS)
        return await one_stream(url, payload)

    return await asyncio.gather(*(later(place, payload) for place, payload in enumerate(payloads)))


def _p99_ms(values: list[int]) -> float:
    ordered = sorted(values)
    return ordered[int(len(ordered) * 0.99)] / 1_000_000
