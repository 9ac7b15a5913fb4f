"""Calls per second against the bare forwarder: a model call alone, a model call through the edge, a tool
call, an agent call.
"""

import asyncio
import contextlib
import json
import statistics
from pathlib import Path
from typing import Any

from shared.http_client import HttpClient
from tests.bench import stack
from tests.bench.load import Result, load, request

CONNECTIONS, SECONDS, ROUNDS, TOKENS = 32, 2.5, 5, 12_000
CHAT = json.dumps(
    {"model": "bench", "messages": [{"role": "user", "content": "Say something short about gateways. " * 8}]}
).encode()
MCP_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
}
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


def _rpc(method: str, params: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


def _mcp(server: str, token: str) -> bytes:
    body = _rpc("tools/call", {"name": "echo", "arguments": {"text": "hi"}, "_meta": MCP_META})
    headers = {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "echo",
        "txn-token": token,
    }
    return request(f"{server}/servers/bench/mcp", body, JSON | headers)


def _a2a(server: str, token: str) -> bytes:
    message = {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": "hi"}]}
    return request(
        f"{server}/agents/bench",
        _rpc("SendMessage", {"message": message}),
        JSON | {"a2a-version": "1.0", "txn-token": token},
    )


def _llm(server: str, token: str) -> bytes:
    return request(f"{server}/v1/chat/completions", CHAT, JSON | {"txn-token": token})


async def measure(directory: Path) -> dict[str, dict[str, Any]]:
    directory = directory / "calls"
    directory.mkdir()
    signer = stack.write_jwks(directory)
    log = directory / "log"
    found: dict[str, dict[str, Any]] = {}
    with contextlib.ExitStack() as processes:

        def start(name: str, command: list[str], core: int) -> stack.Running:
            return processes.enter_context(stack.started(name, command, core, log))

        upstream = start("upstream", ["-m", "tests.bench.upstream"], stack.OTHER_CORE)
        config = stack.write_config(directory, upstream.url)
        state = start("state", ["-m", "tests.bench.state", str(directory / "state")], stack.OTHER_CORE)
        bare = start("bare", ["-m", "tests.bench.bare", upstream.url], stack.GATEWAY_CORE)
        services = {
            name: start(name, ["-m", name, "--config", str(config)], stack.GATEWAY_CORE)
            for name in stack.SERVICES[:3]
        }
        await stack.publish_no_kills(signer, state.url)
        for running in services.values():
            await stack.ready(running.url)
        plain = [request(f"{bare.url}/v1/chat/completions", CHAT, JSON)]
        for name, service, make in (
            ("llm.passthrough", "llm_gateway", _llm),
            ("mcp.call.modern", "mcp_gateway", _mcp),
            ("a2a.send", "agent_gateway", _a2a),
        ):
            url = services[service].url
            found[name] = await compared(
                bare.url,
                plain,
                url,
                lambda s=service, m=make, u=url: [m(u, t) for t in stack.tokens(signer, s, TOKENS)],
            )
        # The edge comes last: its drain works on the same core and is part of the stacked path only.
        stack.set_gateways(config, {name: running.url for name, running in services.items()})
        edge = start("api_gateway", ["-m", "api_gateway", "--config", str(config)], stack.GATEWAY_CORE)
        key = await stack_key(edge.url, directory / "state" / "operator.key")
        await drained(edge.url)
        stacked = request(f"{edge.url}/v1/chat/completions", CHAT, JSON | {"authorization": f"Bearer {key}"})
        found["edge.llm"] = await compared(bare.url, plain, edge.url, lambda: [stacked])
    return found


async def compared(bare_url: str, plain: list[bytes], url: str, requests: Any) -> dict[str, Any]:
    """Alternates bare and gateway; requests are made anew each round since tokens expire."""
    rates, ratios = [], []
    for round_number in range(ROUNDS + 1):
        bare = checked(
            await load(bare_url, plain, connections=CONNECTIONS, seconds=SECONDS / (1 if round_number else 3))
        )
        ours = checked(
            await load(url, requests(), connections=CONNECTIONS, seconds=SECONDS / (1 if round_number else 3))
        )
        if round_number:  # the first round only warms up
            rates.append(ours.per_second)
            ratios.append(ours.per_second / bare.per_second)
    return {
        "value": statistics.median(rates),
        "unit": "req/s",
        "ratio": statistics.median(ratios),
        "against": "bare forwarder",
    }


def checked(result: Result) -> Result:
    if result.bad:
        raise RuntimeError(f"{result.bad} answers were not 200, one of them: {result.sample[:600]!r}")
    return result


async def drained(edge: str) -> None:
    """Waits until the rows of what was measured before are in SQL."""
    client = HttpClient()
    try:
        async with asyncio.timeout(60):
            while True:
                async with await client.send("GET", f"{edge}/metrics") as reply:
                    if b'gatestack_ledger_rows_waiting{service="api_gateway"} 0' in await reply.read(2**20):
                        return
                await asyncio.sleep(0.2)
    finally:
        await client.close()


async def stack_key(edge: str, operator_file: Path) -> str:
    """A key for `user:bench`, made through the admin API."""
    stack.wait_until(operator_file.exists, 10, "the operator's key")
    client = HttpClient()
    body = json.dumps({"sub": "user:bench", "tenant": "acme", "team": "bench"}).encode()
    headers = [
        ("authorization", f"Bearer {operator_file.read_text().strip()}"),
        ("content-type", "application/json"),
    ]
    try:
        async with await client.send("POST", f"{edge}/admin/api/keys", headers=headers, body=body) as reply:
            answer = await reply.read(2**20)
            if reply.status != 201:
                raise RuntimeError(f"no key: {answer!r}")
            return str(json.loads(answer)["secret"])
    finally:
        await client.close()
