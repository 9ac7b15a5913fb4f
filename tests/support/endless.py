"""An upstream whose streams never end: a model, an MCP server, an A2A agent and a plain event stream, each of
which says something every so often.

`python -m tests.support.endless` serves until its input closes.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from uuid import uuid4

import uvloop

from tests.bench.upstream import CARD, STREAM_HEAD, Upstream, answer, delta, mcp

TICK_SECONDS = 0.25
TOOL: dict[str, object] = {"name": "endless", "description": "never ends", "inputSchema": {"type": "object"}}


class Endless(Upstream):
    """Everything that asks for a stream gets one without an end; all else is answered at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._ticking: asyncio.Task[None] | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._ticking is not None:
            self._ticking.cancel()

    def _answer(self, path: bytes, body: bytes) -> None:
        if path.endswith(b"/events"):
            self._tick(b'{"tick":true}')
        elif path.endswith(b"agent-card.json"):
            self._transport.write(answer(json.dumps(CARD).encode()))
        elif path.endswith(b"/mcp"):
            self._mcp(json.loads(body))
        elif b'"stream":true' in body:
            self._tick(json.dumps(delta()).encode())
        elif b"SendStreamingMessage" in body:
            self._work(json.loads(body))
        elif b"CancelTask" in body:
            self._cancelled(json.loads(body))
        else:
            super()._answer(path, body)

    def _mcp(self, message: dict[str, object]) -> None:
        params = message.get("params")
        if message["method"] != "tools/call" or not isinstance(params, dict) or params["name"] != "endless":
            self._transport.write(mcp(message, [TOOL]))
            return
        told = {"progressToken": params["_meta"]["progressToken"], "progress": 1}
        event = {"jsonrpc": "2.0", "method": "notifications/progress", "params": told}
        self._tick(json.dumps(event).encode())

    def _work(self, message: dict[str, object]) -> None:
        task, context = (uuid4().hex for _ in range(2))
        ids = {"contextId": context, "status": {"state": "TASK_STATE_WORKING"}}
        first = {"task": {"id": task, **ids}}
        update = {"statusUpdate": {"taskId": task, **ids}}
        events = [
            json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
            for result in (first, update)
        ]
        self._tick(events[1], first=events[0])

    def _cancelled(self, message: dict[str, object]) -> None:
        params = message["params"]
        assert isinstance(params, dict)
        task = {"id": params["id"], "contextId": "c1", "status": {"state": "TASK_STATE_CANCELED"}}
        self._transport.write(
            answer(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": task}).encode())
        )

    def _tick(self, event: bytes, first: bytes = b"") -> None:
        async def tick() -> None:
            self._transport.write(STREAM_HEAD)
            if first:
                self._write_chunk(b"data: " + first + b"\n\n")
            while not self._transport.is_closing():
                self._write_chunk(b"data: " + event + b"\n\n")
                await asyncio.sleep(TICK_SECONDS)

        self._ticking = asyncio.create_task(tick())


@contextlib.asynccontextmanager
async def endless() -> AsyncIterator[str]:
    """Its address."""
    server = await asyncio.get_running_loop().create_server(Endless, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def main() -> None:
    async with endless() as url:
        sys.stdout.write(f"endless listens on {url}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
