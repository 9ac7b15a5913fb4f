"""An MCP server of the official SDK behind somebody's authorization server: no token of its own, no
answer.
"""

import contextlib
import json
from typing import Any

from mcp.server.mcpserver import Context, MCPServer

from tests.support.authorization_server import AuthorizationServer

METADATA = "/.well-known/oauth-protected-resource"


class ProtectedServer:
    """Tools: `whoami`, and `mirror`, which answers with all headers that came along. `needs` is the scope
    without which calls are refused, `heard` the headers of every request. `told` replaces its metadata.
    """

    def __init__(self, authority: AuthorizationServer, *, open_lists: bool = True) -> None:
        self.authority = authority
        self.open_lists = open_lists
        self.url = ""
        self.needs = ""
        self.heard: list[dict[str, str]] = []
        self.told: dict[str, Any] = {}
        self.hint: str | None = None
        self._app: Any = None

    def build(self, *, stateless: bool = True) -> Any:
        server = MCPServer("protected", version="1.0", log_level="ERROR")

        @server.tool()
        def whoami(ctx: Context) -> str:
            """Says whose token came along."""
            return str(self.authority.tokens[_token(dict(ctx.headers or {}))]["sub"])

        @server.tool()
        def mirror(ctx: Context) -> str:
            """Says which headers came along."""
            return json.dumps(dict(ctx.headers or {}))

        self._app = server.streamable_http_app()
        return self

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {key.decode(): value.decode("latin-1") for key, value in scope["headers"]}
        if scope["path"].startswith(METADATA):
            await self._describe(scope["path"], send)
            return
        self.heard.append(headers)
        body = await _body(receive)
        refusal = self._refusal(headers, body)
        if refusal is None:
            await self._app(scope, _again(body, receive), send)
        else:
            await _answer(send, refusal[0], b"", [(b"www-authenticate", refusal[1].encode())])

    async def _describe(self, path: str, send: Any) -> None:
        told = {"resource": f"{self.url}/mcp", "authorization_servers": [self.authority.url]} | self.told
        found = path == f"{METADATA}/mcp"
        body = json.dumps(told).encode() if found else b""
        await _answer(send, 200 if found else 404, body, [(b"content-type", b"application/json")])

    def _refusal(self, headers: dict[str, str], body: bytes) -> tuple[int, str] | None:
        token = self.authority.tokens.get(_token(headers))
        method = ""
        with contextlib.suppress(ValueError):
            method = json.loads(body).get("method", "")
        if token is None:
            if self.open_lists and method and method != "tools/call":
                return None
            hint = f', resource_metadata="{self.hint}"' if self.hint else ""
            return 401, f'Bearer error="invalid_token"{hint}'
        if token["resource"] != f"{self.url}/mcp":
            return 401, 'Bearer error="invalid_token", error_description="not for this server"'
        if self.needs and self.needs not in token["scope"].split() and method == "tools/call":
            return 403, f'Bearer error="insufficient_scope", scope="{self.needs}"'
        return None


def _token(headers: dict[str, str]) -> str:
    return headers.get("authorization", "").removeprefix("Bearer ")


async def _body(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _again(body: bytes, receive: Any) -> Any:
    given = False

    async def once() -> Any:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once


async def _answer(send: Any, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
