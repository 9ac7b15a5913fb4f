"""An MCP server on raw ASGI that does what no server should: each of its tools is one way of going wrong."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.wait import SECONDS

VERSION = "2026-07-28"
Messages = dict[str, Any]
SCHEMAS = {
    "mirrored": {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
}


class Rogue:
    """`legacy` makes it one of the session era. Its tools: the methods below that begin with `tool_`."""

    def __init__(self, *, legacy: bool = False) -> None:
        self.legacy = legacy
        self.answers: list[Messages] = []
        self.notifications: list[Messages] = []
        self.calls: list[Messages] = []
        self.headers: list[dict[str, str]] = []
        self.sessions: list[str] = []
        self.ended: list[str] = []
        self.lists = 0
        self.extra_tools: list[Messages] = []
        self.left = asyncio.Event()
        self.reached = asyncio.Event()
        self._answered = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self._send, self._receive = send, receive
        headers = {key.decode(): value.decode("latin-1") for key, value in scope["headers"]}
        if scope["method"] == "DELETE":
            self.ended.append(headers.get("mcp-session-id", ""))
            await plain(send, 200, b"")
            return
        message = json.loads(await _body(receive))
        await self._take(message, headers, receive, send)

    async def _take(self, message: Messages, headers: dict[str, str], receive: Any, send: Any) -> None:
        method = message.get("method")
        if "id" not in message or method is None:
            (self.notifications if method else self.answers).append(message)
            self._answered.set()
            await plain(send, 202, b"")
        elif self.legacy and headers.get("mcp-protocol-version") == VERSION:
            await plain(send, 400, b"what is this", "text/plain")
        elif self.legacy and method != "initialize" and headers.get("mcp-session-id") not in self.sessions:
            await plain(send, 404, b"no such session", "text/plain")
        elif method == "tools/call":
            self.calls.append(message)
            self.headers.append(headers)
            tool: Callable[..., Awaitable[None]] = getattr(self, f"tool_{message['params']['name']}")
            await tool(message, receive, send)
        else:
            await self._greet(message, send)

    async def _greet(self, message: Messages, send: Any) -> None:
        method, extra = message["method"], []
        result: Messages = {"capabilities": {"tools": {}}}
        if method == "server/discover" and not self.legacy:
            result |= {
                "supportedVersions": [VERSION],
                "resultType": "complete",
                "ttlMs": 0,
                "cacheScope": "public",
            }
        elif method == "initialize" and self.legacy:
            result |= {"protocolVersion": "2025-11-25", "serverInfo": {"name": "rogue", "version": "0"}}
            self.sessions.append(f"s{len(self.sessions)}")
            extra = [(b"mcp-session-id", self.sessions[-1].encode())]
        elif method == "tools/list":
            self.lists += 1
            names = [name.removeprefix("tool_") for name in dir(self) if name.startswith("tool_")]
            tools = [{"name": name, "inputSchema": SCHEMAS.get(name, {"type": "object"})} for name in names]
            result = {"tools": tools + self.extra_tools}
        else:
            error = {"code": -32601, "message": "Method not found"}
            await document(send, {"jsonrpc": "2.0", "id": message["id"], "error": error})
            return
        await document(send, {"jsonrpc": "2.0", "id": message["id"], "result": result}, extra)

    async def tool_fine(self, message: Messages, receive: Any, send: Any) -> None:
        await document(send, answer(message, "fine"))

    tool_mirrored = tool_fine

    async def tool_garbage(self, message: Messages, receive: Any, send: Any) -> None:
        await plain(send, 200, b'{"jsonrpc": "2.0", "id": 1, "resu', "application/json")

    async def tool_page(self, message: Messages, receive: Any, send: Any) -> None:
        await plain(send, 200, b"<html>sign in first</html>", "text/html")

    async def tool_wrong_id(self, message: Messages, receive: Any, send: Any) -> None:
        await document(send, answer({"id": 999_999}, "somebody else's"))

    async def tool_list_result(self, message: Messages, receive: Any, send: Any) -> None:
        await document(send, {"jsonrpc": "2.0", "id": message["id"], "result": [1, 2]})

    async def tool_text_error(self, message: Messages, receive: Any, send: Any) -> None:
        await document(send, {"jsonrpc": "2.0", "id": message["id"], "error": "went wrong"})

    async def tool_bad_flag(self, message: Messages, receive: Any, send: Any) -> None:
        await document(send, answer(message, "") | {"result": {"isError": "perhaps"}})

    async def tool_bad_notes(self, message: Messages, receive: Any, send: Any) -> None:
        """Reports on its progress in every way but the right one, and then answers."""
        await begin(send)
        wrong: list[Any] = [[], 7, {"level": 7}, {"progressToken": {}}]
        for params in wrong:
            for method in ("notifications/progress", "notifications/message", "notifications/unknown"):
                await event(send, {"jsonrpc": "2.0", "method": method, "params": params})
        await event(send, answer(message, "fine"))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def tool_wants_input(self, message: Messages, receive: Any, send: Any) -> None:
        """Asks first, in the way of the stateless era, and answers when it is asked again with what it
        wanted.
        """
        params = message["params"]
        if "inputResponses" in params:
            await document(
                send, answer(message, json.dumps([params["inputResponses"], params["requestState"]]))
            )
            return
        wanted = {"q": {"method": "elicitation/create", "params": {"message": "sure?"}}}
        result = {"resultType": "input_required", "inputRequests": wanted, "requestState": "sealed"}
        await document(send, {"jsonrpc": "2.0", "id": message["id"], "result": result})

    async def tool_deep(self, message: Messages, receive: Any, send: Any) -> None:
        body = (
            b'{"jsonrpc":"2.0","id":%d,"result":' % message["id"] + b'{"a":' * 50_000 + b"1" + b"}" * 50_001
        )
        await plain(send, 200, body, "application/json")

    async def tool_own_error(self, message: Messages, receive: Any, send: Any) -> None:
        error = {"code": -32002, "message": "the server's own words", "data": {"why": 7}}
        await document(send, {"jsonrpc": "2.0", "id": message["id"], "error": error})

    async def tool_cut(self, message: Messages, receive: Any, send: Any) -> None:
        """Ends its stream in the middle."""
        await begin(send)
        await event(send, progress(message))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def tool_never(self, message: Messages, receive: Any, send: Any) -> None:
        """Waits until nobody waits for it."""
        self.reached.set()
        await _gone(receive)
        self.left.set()

    async def tool_silent(self, message: Messages, receive: Any, send: Any) -> None:
        """Says something once, and then nothing more."""
        await begin(send)
        await event(send, progress(message))
        self.reached.set()
        await _gone(receive)
        self.left.set()

    async def tool_busy(self, message: Messages, receive: Any, send: Any) -> None:
        await plain(send, 429, b"later", "text/plain", [(b"retry-after", b"7")])

    async def tool_crash(self, message: Messages, receive: Any, send: Any) -> None:
        await plain(send, 500, b"stack trace with a secret in it", "text/plain")

    async def tool_moved(self, message: Messages, receive: Any, send: Any) -> None:
        await plain(send, 307, b"", "text/plain", [(b"location", b"http://127.0.0.1:1/mcp")])

    async def tool_huge(self, message: Messages, receive: Any, send: Any) -> None:
        await document(send, answer(message, "x" * 3_000_000))

    async def tool_asks(self, message: Messages, receive: Any, send: Any) -> None:
        """Asks its client something in the middle of a call, and answers with what it heard."""
        await begin(send)
        self._answered.clear()
        await event(send, {"jsonrpc": "2.0", "id": "q1", "method": "sampling/createMessage", "params": {}})
        async with asyncio.timeout(SECONDS):
            await self._answered.wait()
        await event(send, answer(message, json.dumps(self.answers[-1])))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def tool_task(self, message: Messages, receive: Any, send: Any) -> None:
        """Begins a task instead of answering."""
        task = {"resultType": "task", "taskId": "t1", "status": "working"}
        await document(send, {"jsonrpc": "2.0", "id": message["id"], "result": task})

    async def tool_links(self, message: Messages, receive: Any, send: Any) -> None:
        content = [
            {"type": "resource_link", "uri": "file:///a", "name": "a"},
            {"type": "resource", "resource": {"uri": "file:///b", "text": "b"}},
            {"type": "text", "text": 'the word "uri" in a text'},
        ]
        await document(send, answer(message, "") | {"result": {"content": content}})


def answer(message: Messages, text: str) -> Messages:
    return {"jsonrpc": "2.0", "id": message["id"], "result": {"content": [{"type": "text", "text": text}]}}


def progress(message: Messages) -> Messages:
    token = message["params"].get("_meta", {}).get("progressToken", 0)
    return {
        "jsonrpc": "2.0",
        "method": "notifications/progress",
        "params": {"progressToken": token, "progress": 1},
    }


async def plain(
    send: Any,
    status: int,
    body: bytes,
    kind: str = "text/plain",
    extra: list[tuple[bytes, bytes]] | None = None,
) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode()), *(extra or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def document(send: Any, message: Messages, extra: list[tuple[bytes, bytes]] | None = None) -> None:
    await plain(send, 200, json.dumps(message, indent=1).encode(), "application/json", extra)


async def begin(send: Any) -> None:
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def event(send: Any, message: Messages) -> None:
    body = f"event: message\r\ndata: {json.dumps(message)}\r\n\r\n".encode()
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _body(receive: Any) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
