"""MCP servers built with the official SDK, with tools of every kind: over HTTP inside a test, over stdio as
a program.

`python mcp_servers.py <name>` speaks MCP on its standard streams.
"""

import asyncio
import contextlib
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import Completion
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

STATELESS_VERSION = "2026-07-28"
PROGRAM = str(Path(__file__))


class Seen:
    """What a server has been asked, for tests that look behind the gateway."""

    def __init__(self) -> None:
        self.meta: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.cancelled = asyncio.Event()
        self.started = asyncio.Event()


def tool_server(name: str = "one", seen: Seen | None = None) -> MCPServer:
    """Two of these have a tool of the same name, and each says its own in the answer."""
    seen = seen or Seen()
    server = MCPServer(name, version="1.0", instructions=f"This is {name}.", log_level="ERROR")

    @server.tool()
    def echo(text: str) -> str:
        """Says what it was told."""
        return f"{name}: {text}"

    @server.tool()
    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        return a + b

    @server.tool()
    def failing() -> str:
        """Always fails."""
        raise ValueError("the tool itself failed")

    @server.tool()
    def big(size: int) -> str:
        """Answers with much."""
        return "x" * size

    @server.tool()
    def pid() -> int:
        """The process that serves this."""
        return os.getpid()

    _tools_that_take_long(server, seen)
    _prompts_and_resources(server, name)
    return server


def _tools_that_take_long(server: MCPServer, seen: Seen) -> None:
    @server.tool()
    async def slow(steps: int, ctx: Context) -> str:
        """Reports on its progress."""
        for step in range(steps):
            await ctx.report_progress(step + 1, steps, f"step {step + 1}")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                await ctx.info(f"log {step + 1}")
        return "done"

    @server.tool()
    async def forever(ctx: Context) -> str:
        """Never answers; says when somebody stopped it."""
        seen.started.set()
        await ctx.report_progress(0.0, 1.0, "waiting")
        try:
            await asyncio.Event().wait()
        finally:
            seen.cancelled.set()
        return "never"

    @server.tool()
    def look(ctx: Context) -> str:
        """Keeps what came with the call."""
        meta = ctx.request_context.meta
        seen.meta.append(dict(meta or {}))
        with contextlib.suppress(Exception):
            seen.headers.append({key.lower(): value for key, value in (ctx.headers or {}).items()})
        return "kept"


def _prompts_and_resources(server: MCPServer, name: str) -> None:
    @server.prompt()
    def greet(who: str) -> str:
        """Greets somebody."""
        return f"Greet {who} from {name}."

    @server.resource("note://today")
    def today() -> str:
        """A fixed note."""
        return f"today at {name}"

    @server.resource("note://of/{day}")
    def note(day: str) -> str:
        """A note of any day."""
        return f"{day} at {name}"

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]
    async def complete(ref: Any, argument: Any, context: Any) -> Completion:
        return Completion(values=[f"{argument.value}-{name}"])


def legacy_only(app: Any) -> Any:
    """`app` as a server that has not heard of the stateless era: it wants a session first."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and _version(scope) == STATELESS_VERSION:
            await _answer(
                send,
                400,
                b'{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Server not initialized"}}',
            )
            return
        await app(scope, receive, send)

    return wrapped


def stateless_only(app: Any) -> Any:
    """`app` as a server that knows no sessions any more."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and _version(scope) in ("", *HANDSHAKE_PROTOCOL_VERSIONS):
            error = b'{"code":-32022,"message":"no","data":{"supported":["2026-07-28"],"requested":""}}'
            body = b'{"jsonrpc":"2.0","id":null,"error":' + error + b"}"
            await _answer(send, 400, body)
            return
        await app(scope, receive, send)

    return wrapped


def _version(scope: Any) -> str:
    return next((value.decode() for key, value in scope["headers"] if key == b"mcp-protocol-version"), "")


async def _answer(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    tool_server(sys.argv[1] if len(sys.argv) > 1 else "one").run("stdio")
