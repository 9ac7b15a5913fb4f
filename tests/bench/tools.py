"""Tool calls of the session era: passed on to a server of that era, and translated for one of the other; and
what the small surface saves a model.
"""

import contextlib
import json
from pathlib import Path
from typing import Any

import yaml

from mcp_gateway.search.tools import DEFINITIONS
from shared.http_client import HttpClient
from shared.identity.signing import Signer
from tests.bench import stack
from tests.bench.calls import CHAT, JSON, TOKENS, compared
from tests.bench.load import request

SESSION_VERSION = "2025-11-25"
# A server's id says which era the gateway speaks to it.
ERAS = {"session": "session", "translated": "stateless"}
SIZES = (50, 250, 500)
_BYTES_PER_TOKEN = 4
_PER_SERVER = 50
_VERBS = ("list", "get", "create", "update", "delete")
_NOUNS = (
    "issue",
    "invoice",
    "customer",
    "deployment",
    "document",
    "calendar event",
    "order",
    "ticket",
    "user",
    "file",
)


async def measure(directory: Path) -> dict[str, dict[str, Any]]:
    directory = directory / "tools"
    directory.mkdir()
    signer = stack.write_jwks(directory)
    log = directory / "log"
    with contextlib.ExitStack() as processes:

        def start(name: str, command: list[str], core: int) -> stack.Running:
            return processes.enter_context(stack.started(name, command, core, log))

        upstream = start("upstream", ["-m", "tests.bench.upstream"], stack.OTHER_CORE)
        config = stack.write_config(directory, upstream.url)
        two_eras(config, upstream.url)
        state = start("state", ["-m", "tests.bench.state", str(directory / "state")], stack.OTHER_CORE)
        bare = start("bare", ["-m", "tests.bench.bare", upstream.url], stack.GATEWAY_CORE)
        gateway = start("mcp_gateway", ["-m", "mcp_gateway", "--config", str(config)], stack.GATEWAY_CORE)
        await stack.publish_no_kills(signer, state.url)
        await stack.ready(gateway.url)
        plain = [request(f"{bare.url}/v1/chat/completions", CHAT, JSON)]
        found = {}
        for name in ERAS:
            url = f"{gateway.url}/servers/{name}/mcp"
            [token] = stack.tokens(signer, "mcp_gateway", 1)
            headers = await begun(url, {"txn-token": token})
            found[f"mcp.call.{name}"] = await compared(
                bare.url, plain, gateway.url, lambda u=url, h=headers: calls(u, h, signer)
            )
    return found | saved()


def saved() -> dict[str, dict[str, Any]]:
    """Tokens (four bytes each) of a full list, and how many of them a model is spared that searches once and
    reads one definition.
    """

    found = {}
    for size in SIZES:
        definitions = [_definition(number) for number in range(size)]
        full = len(json.dumps({"tools": definitions}, separators=(",", ":")))
        summaries = [
            {"name": each["name"], "description": each["description"], "arguments": list(_arguments(each))}
            for each in definitions[:8]
        ]
        small = sum(map(len, DEFINITIONS)) + len(json.dumps(summaries)) + len(json.dumps(definitions[0]))
        found[f"mcp.search.saved_{size}"] = {
            "value": (full - small) // _BYTES_PER_TOKEN,
            "unit": "tokens",
            "ratio": small / full,
            "against": f"the full list, {full // _BYTES_PER_TOKEN} tokens",
        }
    return found


def _definition(number: int) -> dict[str, Any]:
    """A tool as servers of products have them: two sentences and four arguments."""
    verb, noun = _VERBS[number % len(_VERBS)], _NOUNS[number // len(_VERBS) % len(_NOUNS)]
    text = (
        f"{verb.capitalize()}s a {noun} in the workspace. Fails when the {noun} does not exist or the "
        "caller may not see it."
    )
    properties = {
        "id": {"type": "string", "description": f"The {noun}'s id."},
        "fields": {"type": "array", "items": {"type": "string"}, "description": "What to return."},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "description": "How many at most."},
        "dry_run": {"type": "boolean", "description": "Only say what would happen."},
    }
    name = f"server{number // _PER_SERVER}__{verb}_{noun.replace(' ', '_')}"
    return {
        "name": name,
        "description": text,
        "inputSchema": {"type": "object", "properties": properties, "required": ["id"]},
    }


def _arguments(definition: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = definition["inputSchema"]["properties"]
    return properties


def two_eras(path: Path, upstream: str) -> None:
    config: dict[str, Any] = yaml.safe_load(path.read_text())
    config["mcp_gateway"]["servers"] = {
        name: {"transport": {"type": "http", "url": f"{upstream}/mcp", "era": era}}
        for name, era in ERAS.items()
    }
    config["mcp_gateway"]["session_seconds"] = 3600
    path.write_text(yaml.safe_dump(config))


async def begun(url: str, headers: dict[str, str]) -> dict[str, str]:
    """Begins a session, and returns the headers of everything that is asked in it."""
    hello = {
        "protocolVersion": SESSION_VERSION,
        "capabilities": {},
        "clientInfo": {"name": "b", "version": "1"},
    }
    greeting = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
    client = HttpClient()
    try:
        session = await _said(client, url, greeting, JSON | headers)
        if not session:
            raise RuntimeError(f"no session at {url}")
        own = JSON | {"mcp-session-id": session, "mcp-protocol-version": SESSION_VERSION}
        await _said(client, url, {"jsonrpc": "2.0", "method": "notifications/initialized"}, own | headers)
        return own
    finally:
        await client.close()


async def _said(client: HttpClient, url: str, message: dict[str, Any], headers: dict[str, str]) -> str:
    body = json.dumps(message).encode()
    async with await client.send("POST", url, headers=list(headers.items()), body=body) as reply:
        answer = await reply.read(2**20)
        if reply.status not in (200, 202):
            raise RuntimeError(f"no session: {answer!r}")
        return reply.header("mcp-session-id") or ""


def call(url: str, headers: dict[str, str], number: int = 1) -> bytes:
    """One `tools/call` of the session era, with an id of its own."""
    params = {"name": "echo", "arguments": {"text": "hi"}}
    body = json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}).encode()
    return request(url, body, headers)


def calls(url: str, headers: dict[str, str], signer: Signer) -> list[bytes]:
    """The same through the gateway, each of another chain."""
    made = stack.tokens(signer, "mcp_gateway", TOKENS)
    return [call(url, headers | {"txn-token": token}) for token in made]
