"""The processes of a benchmark: the gateway's on one core, everything else on the other; its configuration
and tokens.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from shared.clock import Clock
from shared.http_client import HttpClient
from shared.identity.principal import Caller, Principal, Trace
from shared.identity.signing import Signer
from shared.identity.token import identity_claims
from shared.ledger.entry import new_id
from shared.redis_client import Redis
from shared.snapshots import Snapshots

GATEWAY_CORE, OTHER_CORE = 0, 1
_READY_SECONDS = 30.0
SERVICES = ("llm_gateway", "mcp_gateway", "agent_gateway", "api_gateway")
RULES = 1000


class Running(Struct):
    name: str
    process: subprocess.Popen[str]
    url: str

    def rss_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@contextlib.contextmanager
def off_the_gateways_core() -> Iterator[None]:
    """For this process, which makes the load; what it starts says itself where it runs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {OTHER_CORE % (os.cpu_count() or 1)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def started(name: str, command: list[str], core: int, log: Path) -> Iterator[Running]:
    """Starts a Python program, waits for its `… listens on <url>` line, and ends it afterwards."""
    cores = {core % (os.cpu_count() or 1)}
    with log.open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
    try:
        yield Running(name, process, _listening(name, process, log))
    finally:
        if process.stdin:
            process.stdin.close()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listening(name: str, process: "subprocess.Popen[str]", log: Path) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if " listens on " in line:
            return line.split()[-1]
    raise RuntimeError(f"{name} did not start:\n{log.read_text()[-2000:]}")


def write_config(directory: Path, upstream: str, **llm: Any) -> Path:
    """Everything on: a thousand rules, three limits that are never reached, the ledger, tracing unsampled.
    `llm` comes on top of the model gateway's section.
    """
    limits = [
        {"name": "key", "per": "key", "unit": "requests", "amount": 10**9, "window": "minute"},
        {"name": "team", "per": "team", "unit": "tokens", "amount": 10**12, "window": "hour"},
        {"name": "tenant", "per": "tenant", "unit": "micros", "amount": 10**14, "window": "day"},
    ]
    config = {
        "state": {"dir": str(directory / "state")},
        "identity": {
            "keys_dir": str(directory / "keys"),
            "trust": {
                "api_gateway": str(directory / "api_gateway.jwks"),
                "agent_gateway": str(directory / "agent_gateway.jwks"),
            },
        },
        "policy": _policy(),
        "chain": {"budget": {"micros": 10**12, "model_calls": 10**9}},
        "api_gateway": {"bind": "127.0.0.1:0", "limits": limits},
        "llm_gateway": {
            "bind": "127.0.0.1:0",
            "limits": limits,
            "providers": {"bench": {"base_url": f"{upstream}/v1"}},
            "models": {"bench": model("bench")},
            **llm,
        },
        "mcp_gateway": {
            "bind": "127.0.0.1:0",
            "limits": limits[:1],
            "servers": {"bench": {"transport": {"type": "http", "url": f"{upstream}/mcp"}}},
        },
        "agent_gateway": {
            "bind": "127.0.0.1:0",
            "limits": limits[:1],
            "agents": {"bench": {"url": f"{upstream}/a2a"}},
        },
    }
    path = directory / "gatestack.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def model(provider: str) -> dict[str, Any]:
    return {"targets": [{"provider": provider, "model": "bench-1"}], "price": {"in": 1000, "out": 2000}}


def set_gateways(path: Path, urls: dict[str, str]) -> None:
    """Tells the edge where the others came up."""
    config: dict[str, Any] = yaml.safe_load(path.read_text())
    config["api_gateway"]["gateways"] = {name: [url] for name, url in urls.items()}
    path.write_text(yaml.safe_dump(config))


def _policy() -> dict[str, Any]:
    rules = [
        {"sub": f"role:r{n % 50}", "dom": "acme", "obj": f"model:m{n}", "act": "invoke", "cond": "depth <= 3"}
        for n in range(RULES - 4)
    ]
    for obj in ("route:*", "model:*", "tool:*", "agent:*"):
        rules.append({"sub": "role:r1", "dom": "acme", "obj": obj, "act": "*", "cond": ""})
    roles = [{"member": f"user:u{n}", "role": f"role:r{n % 50}", "dom": "acme"} for n in range(200)]
    roles.append({"member": "user:bench", "role": "role:r1", "dom": "acme"})
    roles.append({"member": "user:operator", "role": "role:operator", "dom": "system"})
    rules.append({"sub": "role:operator", "dom": "system", "obj": "*", "act": "*", "cond": ""})
    return {"rules": rules, "roles": roles}


async def publish_no_kills(signer: Signer, valkey: str) -> None:
    """What an edge does before a service that is measured without one lets anything through."""
    redis = await Redis.connect(valkey)
    try:
        clock = Clock()
        await Snapshots(redis, None, clock).publish("kills", b"[]", int(clock.now() * 1000), signer)
    finally:
        await redis.close()


def tokens(signer: Signer, audience: str, count: int, actors: tuple[str, ...] = ("user:bench",)) -> list[str]:
    """Fresh identity tokens as the edge would make them: every one another chain, so that no memo can
    help.
    """
    made = []
    for _ in range(count):
        caller = Caller(
            principal=Principal(sub="user:bench", tenant="acme", team="bench"),
            actors=actors,
            chain=new_id(),
            credential="key",
            key="bench",
        )
        trace = Trace(trace_id=new_id() + "abcdef", span_id="ab" * 8)
        claims = identity_claims(
            caller, issuer="api_gateway", audience=audience, entry_id=new_id(), trace=trace, ttl=120
        )
        made.append(signer.sign(claims, typ="txn+jwt"))
    return made


def write_jwks(directory: Path) -> Signer:
    """The edge's signing key and both issuers' public keys as files, so that a service can be measured
    alone.
    """
    signers = {
        name: Signer.load_or_create(directory / "keys", name) for name in ("api_gateway", "agent_gateway")
    }
    for name, signer in signers.items():
        (directory / f"{name}.jwks").write_bytes(signer.jwks())
    return signers["api_gateway"]


def wait_until(condition: Any, seconds: float, what: str) -> None:
    """Polls a condition, bounded."""
    clock = Clock()
    deadline = clock.monotonic() + seconds
    while not condition():
        if clock.monotonic() > deadline:
            raise RuntimeError(f"gave up waiting for {what}")
        time.sleep(0.02)


async def ready(url: str) -> None:
    """Waits until a service obeys what was published for it."""
    client = HttpClient()
    try:
        async with asyncio.timeout(_READY_SECONDS):
            while True:
                async with await client.send("GET", f"{url}/readyz") as reply:
                    if reply.status == 200:
                        return
                await asyncio.sleep(0.1)
    finally:
        await client.close()
