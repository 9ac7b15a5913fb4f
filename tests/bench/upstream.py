"""The scripted upstream of the benchmarks: a chat model, an MCP server and an A2A agent that answer at once.

Bare asyncio protocols, so that the measured side is the gateway's. A stream's chunks carry the moment they
were sent.
"""

import asyncio
import contextlib
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import cast
from uuid import uuid4

import uvloop

_CHAT = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "bench-1",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "word " * 60}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 20, "completion_tokens": 60, "total_tokens": 80},
    }
).encode()
_MESSAGE = json.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "bench-1",
        "content": [{"type": "text", "text": "word " * 60}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 20, "output_tokens": 60},
    }
).encode()
_CHUNKS = 40
_LENGTH = re.compile(rb'"max_tokens":(\d+)')
_PAUSE_SECONDS = 0.02
STREAMED = 50
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def answer(
    body: bytes, content_type: str = "application/json", status: str = "200 OK", extra: str = ""
) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


class Upstream(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        place = head.find(b"content-length:")
        length = int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        body = self._buffer[end + 4 : end + 4 + length]
        self._buffer = b""
        self._answer(head.split(b" ", 2)[1], body)

    def _answer(self, path: bytes, body: bytes) -> None:
        if path.endswith(b"/chat/completions"):
            if b'"stream":true' in body:
                asked = _LENGTH.search(body)
                self._task = asyncio.create_task(self._stream(int(asked[1]) if asked else _CHUNKS))
            else:
                self._transport.write(answer(_CHAT))
        elif path.endswith(b"/v1/messages"):
            self._transport.write(answer(_MESSAGE))
        elif path.endswith(b"/mcp"):
            self._transport.write(mcp(json.loads(body), _TOOLS if path.startswith(b"/many/") else [_TOOL]))
        elif path.endswith(b"agent-card.json"):
            self._transport.write(answer(json.dumps(CARD).encode()))
        elif b"SendStreamingMessage" in body:
            self._task = asyncio.create_task(self._agent_stream(json.loads(body)["id"]))
        else:
            self._transport.write(_a2a(json.loads(body)))

    async def _stream(self, chunks: int) -> None:
        self._transport.write(STREAM_HEAD)
        loop = asyncio.get_running_loop()
        due = loop.time()
        for _ in range(chunks):
            self._chunk(delta())
            due += _PAUSE_SECONDS
            await asyncio.sleep(due - loop.time())
        usage = {"prompt_tokens": 5, "completion_tokens": chunks, "total_tokens": 5 + chunks}
        self._chunk({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": usage})
        self._write_chunk(b"data: [DONE]\n\n")
        self._transport.write(b"0\r\n\r\n")

    async def _agent_stream(self, request_id: object) -> None:
        """A task with a result in pieces, as fast as they are taken."""
        self._transport.write(STREAM_HEAD)
        for event in _task_events():
            self._chunk({"jsonrpc": "2.0", "id": request_id, "result": event})
            await asyncio.sleep(0)
        self._transport.write(b"0\r\n\r\n")

    def _chunk(self, value: dict[str, object]) -> None:
        self._write_chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def _write_chunk(self, data: bytes) -> None:
        self._transport.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


_TOOL: dict[str, object] = {
    "name": "echo",
    "description": "says it again",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
}
_TOOLS = [_TOOL | {"name": f"echo_{number}"} for number in range(20)]
CARD = {
    "name": "bench",
    "description": "answers at once",
    "version": "1",
    "supportedInterfaces": [
        {"url": "http://127.0.0.1/a2a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    ],
    "capabilities": {"streaming": True},
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain"],
    "skills": [{"id": "talk", "name": "talk", "description": "talks", "tags": ["talk"]}],
}


def delta() -> dict[str, object]:
    # CLOCK_MONOTONIC is the machine's: the reader subtracts it from its own.
    content = f"{time.monotonic_ns()}"
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "bench-1",
        "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None}],
    }


def mcp(message: dict[str, object], tools: list[dict[str, object]]) -> bytes:
    if "id" not in message:
        return answer(b"", status="202 Accepted")
    method = message["method"]
    modern = "io.modelcontextprotocol/protocolVersion" in json.dumps(message.get("params", {}))
    result: dict[str, object] = {"resultType": "complete"} if modern else {}
    if method == "server/discover" and modern:
        result |= {
            "supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {}},
            "ttlMs": 60000,
            "cacheScope": "private",
        }
    elif method == "server/discover":
        return answer(_error(message["id"]), status="400 Bad Request")
    elif method == "initialize":
        result |= {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "b", "version": "1"},
        }
    elif method == "tools/list":
        result |= {"tools": tools} | ({"ttlMs": 60000, "cacheScope": "private"} if modern else {})
    else:
        result |= {"content": [{"type": "text", "text": "word " * 20}], "isError": False}
    extra = "mcp-session-id: s1\r\n" if method == "initialize" else ""
    return answer(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode(), extra=extra)


def _error(request_id: object) -> bytes:
    return json.dumps(
        {"jsonrpc": "2.0", "id": request_id, "error": {"code": -32601, "message": "no"}}
    ).encode()


def _task_events() -> Iterator[dict[str, object]]:
    """STREAMED events of one task."""
    task, context = (uuid4().hex for _ in range(2))
    yield {"task": {"id": task, "contextId": context, "status": {"state": "TASK_STATE_WORKING"}}}
    ids = {"taskId": task, "contextId": context}
    for number in range(STREAMED - 2):
        artifact = {"artifactId": "a", "parts": [{"text": f"word {number} "}]}
        yield {"artifactUpdate": {**ids, "artifact": artifact, "append": number > 0}}
    yield {"statusUpdate": {**ids, "status": {"state": "TASK_STATE_COMPLETED"}}}


def _a2a(message: dict[str, object]) -> bytes:
    reply = {"messageId": "m2", "role": "ROLE_AGENT", "parts": [{"text": "word " * 20}]}
    return answer(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {"message": reply}}).encode())


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """Its address; it answers in this process's own loop."""
    async with await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def main() -> None:
    async with serving() as url:
        print(f"upstream listens on {url}", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
