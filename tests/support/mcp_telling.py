"""An MCP server on raw ASGI that answers what a test tells it to, to the byte."""

from typing import Any

from tests.support.mcp_rogue import Messages, Rogue, document, plain

MAIL = "jane@example.com"


class Telling(Rogue):
    """Says what it is told to say, to the byte."""

    def __init__(self) -> None:
        super().__init__()
        self.result = b"{}"

    async def tool_say(self, message: Messages, receive: Any, send: Any) -> None:
        body = b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (message["id"], self.result)
        await plain(send, 200, body, "application/json")

    async def tool_fail(self, message: Messages, receive: Any, send: Any) -> None:
        error = {"code": -32050, "message": f"ask {MAIL}", "data": {"who": MAIL}}
        await document(send, {"jsonrpc": "2.0", "id": message["id"], "error": error})
