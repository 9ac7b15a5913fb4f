"""The tool gateway as its tests run it: real, on a socket, in front of real MCP servers."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from msgspec import Struct

from mcp_gateway.app import SERVICE
from shared.clock import Clock
from shared.http_client import HttpClient, Reply
from shared.identity.principal import Caller
from tests.support.answer import Answer
from tests.support.serve import Edge, Running, running, someone

VERSION = "2026-07-28"
SESSION_VERSION = "2025-11-25"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


class Heard(Answer, frozen=True):
    @property
    def events(self) -> list[Any]:
        """The messages of an event stream."""
        lines = self.body.decode().replace("\r", "").split("\n")
        return [msgspec.json.decode(line[6:]) for line in lines if line.startswith("data: ")]

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json["error"]
        return found

    @property
    def text(self) -> str:
        """What a tool said."""
        return str(self.json["result"]["content"][0]["text"])


class Gateway(Struct, frozen=True):
    edge: Edge
    service: Running
    http: HttpClient

    def identity(self, caller: Caller | None = None) -> dict[str, str]:
        """The header that the edge would send on for `caller`."""
        return {"txn-token": self.edge.token(caller or someone(), audience="mcp_gateway")}

    async def open(
        self,
        body: bytes | Mapping[str, Any],
        *,
        path: str = "/mcp",
        headers: Mapping[str, str] | None = None,
        caller: Caller | None = None,
        method: str = "POST",
        identity: bool = True,
    ) -> Reply:
        """A request whose reply is not read yet."""
        given = _ACCEPT | (self.identity(caller) if identity else {}) | dict(headers or {})
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.http.send(method, self.service.url + path, headers=list(given.items()), body=raw)

    async def send(self, body: bytes | Mapping[str, Any] = b"", **more: Any) -> Heard:
        async with await self.open(body, **more) as reply:
            return await Heard.of(reply)

    async def ask(
        self, method: str, params: Mapping[str, Any] | None = None, *, headers: Any = None, **more: Any
    ) -> Heard:
        """One well-formed request of the stateless era."""
        body, own = stateless(method, params)
        return await self.send(body, headers=own | (headers or {}), **more)

    async def call(self, tool: str, arguments: Any = None, **more: Any) -> Heard:
        return await self.ask("tools/call", {"name": tool, "arguments": arguments or {}}, **more)

    async def tools(self, **more: Any) -> list[str]:
        found = await self.ask("tools/list", **more)
        return [tool["name"] for tool in found.json["result"]["tools"]]

    async def begin(
        self, caller: Caller | None = None, path: str = "/mcp", version: str = SESSION_VERSION
    ) -> "Talk":
        """A session of `caller` on an endpoint."""
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}
        body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        heard = await self.send(body, path=path, caller=caller)
        assert heard.status == 200, heard.body
        return Talk(self, caller or someone(), path, heard)

    @contextlib.asynccontextmanager
    async def client(
        self, mode: str, path: str = "/mcp", headers: dict[str, str] | None = None, **more: Any
    ) -> AsyncIterator[Client]:
        """The official client, with nothing but an address and a header."""
        async with (
            httpx2.AsyncClient(headers=headers or self.identity(), timeout=20) as http,
            Client(
                streamable_http_client(self.service.url + path, http_client=http), mode=mode, **more
            ) as client,
        ):
            yield client


class Talk(Struct, frozen=True):
    """A session of the session era."""

    gateway: Gateway
    caller: Caller
    path: str
    hello: Heard

    @property
    def id(self) -> str:
        return self.hello.headers["mcp-session-id"]

    @property
    def headers(self) -> dict[str, str]:
        return {"mcp-session-id": self.id, "mcp-protocol-version": SESSION_VERSION}

    async def ask(self, method: str, params: Mapping[str, Any] | None = None, **more: Any) -> Heard:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        given = {"caller": self.caller, "path": self.path, "headers": self.headers} | more
        return await self.gateway.send(body, **given)

    async def call(self, tool: str, arguments: Any = None, **more: Any) -> Heard:
        return await self.ask("tools/call", {"name": tool, "arguments": arguments or {}}, **more)

    async def tell(self, method: str, params: Mapping[str, Any] | None = None) -> Heard:
        body = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        return await self.gateway.send(body, caller=self.caller, path=self.path, headers=self.headers)


def stateless(method: str, params: Mapping[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    """Body and headers of a well-formed request of the stateless era."""
    params = dict(params or {})
    params["_meta"] = META | params.get("_meta", {})
    headers = {"mcp-protocol-version": VERSION, "mcp-method": method}
    named = params.get(_NAMED.get(method, ""))
    if isinstance(named, str):
        headers["mcp-name"] = named
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, headers


def rule(sub: str = "*", obj: str = "*", act: str = "*", **more: str) -> dict[str, str]:
    return {"sub": sub, "dom": "*", "obj": obj, "act": act, **more}


def http(url: str, **more: Any) -> dict[str, Any]:
    """A server's section, for one over HTTP."""
    return {"transport": {"type": "http", "url": f"{url}/mcp", **more}}


@contextlib.asynccontextmanager
async def gateway(
    directory: Path,
    redis: str,
    servers: Mapping[str, Any],
    *,
    rules: Any = None,
    chain: Any = None,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    **section: Any,
) -> AsyncIterator[Gateway]:
    """The gateway before `servers`; everything is allowed unless `rules` say otherwise."""
    config = {
        "mcp_gateway": {"servers": dict(servers), "refresh_seconds": 0.01} | section,
        "policy": {"rules": [rule()] if rules is None else rules},
        **({"chain": chain} if chain else {}),
    }
    edge, client = Edge(directory), HttpClient()
    async with running(
        SERVICE, config, directory, edge=edge, redis=redis, environ=environ, clock=clock
    ) as service:
        try:
            yield Gateway(edge, service, client)
        finally:
            await client.close()
