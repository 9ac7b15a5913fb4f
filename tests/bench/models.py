"""What a model call costs that is more than passed on: translated to another wire, answered from the cache,
guarded.

Against the bare forwarder, which asks an OpenAI-compatible upstream every time.
"""

import contextlib
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from llm_gateway.cache.namespace import Kept, Namespace, pack
from shared.embed import DIMENSIONS, embed_one
from shared.redis_client import Redis
from tests.bench import stack
from tests.bench.calls import CHAT, JSON, TOKENS, compared
from tests.bench.load import request

ENTRIES, LOOKUPS = 10_000, 200
GUARDS: list[dict[str, Any]] = [
    {"kind": "pii", "name": "pii", "action": "redact"},
    {"kind": "secrets", "name": "secrets"},
    {"kind": "injection", "name": "injection"},
    {
        "kind": "regex",
        "name": "words",
        "patterns": [{"name": "project", "pattern": "(?i)project\\s+nightfall"}],
    },
]


def _section(upstream: str) -> dict[str, Any]:
    return {
        "providers": {
            "bench": {"base_url": f"{upstream}/v1"},
            "claude": {"kind": "anthropic", "base_url": upstream},
        },
        "models": {
            "cached": stack.model("bench"),
            "guarded": stack.model("bench"),
            "translated": stack.model("claude"),
        },
        "cache": {"models": ["cached"]},
        "guards": [guard | {"match": {"model": "guarded"}} for guard in GUARDS],
    }


async def measure(directory: Path) -> dict[str, dict[str, Any]]:
    directory = directory / "models"
    directory.mkdir()
    signer = stack.write_jwks(directory)
    log = directory / "log"
    found: dict[str, dict[str, Any]] = {}
    with contextlib.ExitStack() as processes:

        def start(name: str, command: list[str], core: int) -> stack.Running:
            return processes.enter_context(stack.started(name, command, core, log))

        upstream = start("upstream", ["-m", "tests.bench.upstream"], stack.OTHER_CORE)
        config = stack.write_config(directory, upstream.url, **_section(upstream.url))
        state = start("state", ["-m", "tests.bench.state", str(directory / "state")], stack.OTHER_CORE)
        bare = start("bare", ["-m", "tests.bench.bare", upstream.url], stack.GATEWAY_CORE)
        await stack.publish_no_kills(signer, state.url)
        llm = start("llm_gateway", ["-m", "llm_gateway", "--config", str(config)], stack.GATEWAY_CORE)
        await stack.ready(llm.url)
        plain = [request(f"{bare.url}/v1/chat/completions", CHAT, JSON)]
        for name in ("translated", "cached", "guarded"):
            body = json.dumps(json.loads(CHAT) | {"model": name}).encode()

            def requests(body: bytes = body) -> list[bytes]:
                made = stack.tokens(signer, "llm_gateway", TOKENS)
                return [
                    request(f"{llm.url}/v1/chat/completions", body, JSON | {"txn-token": token})
                    for token in made
                ]

            shown = "cache_hit" if name == "cached" else name
            found[f"llm.{shown}"] = await compared(bare.url, plain, llm.url, requests)
        found["llm.semantic_ms"] = await _semantic(state.url)
    return found


async def _semantic(redis_url: str) -> dict[str, Any]:
    """One lookup among ENTRIES questions of one namespace: vector, news from Redis, comparison."""
    redis = await Redis.connect(redis_url)
    try:
        rows = np.random.default_rng(7).standard_normal((ENTRIES, DIMENSIONS)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        for number, row in enumerate(rows):
            kept = pack(Kept(f"answer-{number}", "", row.astype(np.float16).tobytes()))
            await redis.execute("XADD", "bench:like", "*", "kept", kept)
        namespace = Namespace(ENTRIES)
        await namespace.follow(redis, "bench:like")
        took = []
        for number in range(LOOKUPS):
            began = time.perf_counter()
            vector = embed_one(f"how do I reset the password of account {number}")
            await namespace.follow(redis, "bench:like")
            namespace.nearest(vector, "", 0.95)
            took.append((time.perf_counter() - began) * 1000)
    finally:
        await redis.close()
    return {
        "value": statistics.median(took[LOOKUPS // 4 :]),
        "unit": "ms p50",
        "ratio": None,
        "against": f"{ENTRIES} entries",
    }
