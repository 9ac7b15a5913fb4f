"""The merged list of many servers, as one client after another asks for it: how long half of them wait."""

import contextlib
import json
from pathlib import Path
from typing import Any

import yaml

from tests.bench import stack
from tests.bench.calls import JSON
from tests.bench.load import load, request

SERVERS, TOOLS = 50, 20
_SECONDS = 5.0
_TOKENS = 2_000
_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
_HEADERS = JSON | {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list"}


async def measure(directory: Path) -> dict[str, dict[str, Any]]:
    directory = directory / "lists"
    directory.mkdir()
    signer = stack.write_jwks(directory)
    log = directory / "log"
    with contextlib.ExitStack() as processes:

        def start(name: str, command: list[str], core: int) -> stack.Running:
            return processes.enter_context(stack.started(name, command, core, log))

        upstream = start("upstream", ["-m", "tests.bench.upstream"], stack.OTHER_CORE)
        config = stack.write_config(directory, upstream.url)
        _many(config, upstream.url)
        state = start("state", ["-m", "tests.bench.state", str(directory / "state")], stack.OTHER_CORE)
        gateway = start("mcp_gateway", ["-m", "mcp_gateway", "--config", str(config)], stack.GATEWAY_CORE)
        await stack.publish_no_kills(signer, state.url)
        await stack.ready(gateway.url)
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": _META}}
        asked = [
            request(f"{gateway.url}/mcp", json.dumps(body).encode(), _HEADERS | {"txn-token": token})
            for token in stack.tokens(signer, "mcp_gateway", _TOKENS)
        ]
        await load(gateway.url, asked, connections=1, seconds=1.0)
        found = await load(gateway.url, asked, connections=1, seconds=_SECONDS)
    if found.bad:
        raise RuntimeError(f"not every list was answered: {found.sample!r}")
    return {
        "mcp.list_ms": {
            "value": found.p50_ms,
            "unit": "ms",
            "ratio": None,
            "against": f"p50 of {SERVERS} servers x {TOOLS} tools, warm",
        }
    }


def _many(path: Path, upstream: str) -> None:
    config: dict[str, Any] = yaml.safe_load(path.read_text())
    config["mcp_gateway"]["servers"] = {
        f"s{number}": {"transport": {"type": "http", "url": f"{upstream}/many/mcp", "era": "stateless"}}
        for number in range(SERVERS)
    }
    path.write_text(yaml.safe_dump(config))
