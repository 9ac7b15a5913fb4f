"""An MCP server of the stateless era whose tools and answers a test changes as it likes."""

import json
from typing import Any

from tests.support.mcp_rogue import document

Definition = dict[str, Any]


def tool(name: str, description: str = "", **more: Any) -> Definition:
    return {"name": name, "description": description, "inputSchema": {"type": "object"}} | more


class Shifting:
    """`tools` are its definitions; `results` are what a tool answers, by name, else the word `fine`;
    `listed` is how often its tools were asked for.
    """

    def __init__(self, *tools: Definition) -> None:
        self.tools = list(tools)
        self.results: dict[str, Any] = {}
        self.calls: list[Definition] = []
        self.listed = 0

    @property
    def called(self) -> list[str]:
        return [call["name"] for call in self.calls]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        asked = json.loads(body)
        await document(send, {"jsonrpc": "2.0", "id": asked["id"], "result": self._answer(asked)})

    def _answer(self, asked: Any) -> Definition:
        hints = {"ttlMs": 0, "cacheScope": "private", "resultType": "complete"}
        if asked["method"] == "server/discover":
            return {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}} | hints
        if asked["method"] == "tools/list":
            self.listed += 1
            return {"tools": self.tools} | hints
        self.calls.append(asked["params"])
        name = asked["params"]["name"]
        content = [{"type": "text", "text": "fine"}]
        result: Definition = self.results.get(name, {"content": content})
        return result | {"resultType": "complete"}
