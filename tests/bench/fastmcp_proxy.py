"""FastMCP's proxy before the benchmark's upstream, as its documentation sets one up. Runs in an environment
of its own (`fastmcp.txt`), and imports nothing of ours.

`default` opens an upstream session for each request, `shared` uses one for all.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastmcp import Client  # type: ignore[import-not-found]
from fastmcp.server import create_proxy  # type: ignore[import-not-found]


@contextlib.asynccontextmanager
async def target(url: str, mode: str) -> AsyncIterator[Any]:
    if mode == "default":
        yield url
        return
    async with Client(url) as client:
        yield client


async def main(url: str, mode: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    async with target(f"{url}/mcp", mode) as upstream:
        app = create_proxy(upstream, name="proxy").http_app(path="/mcp")
        config = uvicorn.Config(app, log_level="error", access_log=False)
        server = uvicorn.Server(config)
        print(f"proxy listens on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        serving = asyncio.create_task(server.serve([listener]))
        await asyncio.to_thread(sys.stdin.read)
        server.should_exit = True
        await serving


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
