"""A registry of MCP servers that somebody else runs, in the shapes of the official one's v0.1."""

from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

_OFFICIAL = "io.modelcontextprotocol.registry/official"


class Registry:
    """Lists `servers`, two a page, with the `status` that stands there by name. Unless it `turns` pages, the
    next is always the first. `asked` are the queries.
    """

    def __init__(self, servers: list[dict[str, Any]]) -> None:
        self.servers = servers
        self.status: dict[str, str] = {}
        self.asked: list[dict[str, list[str]]] = []
        self.turns = True
        self.app = Starlette(
            routes=[Route("/v0.1/servers", self.listing), Route("/moved/servers", self.moved)]
        )

    async def listing(self, request: Request) -> Response:
        query = parse_qs(request.url.query)
        self.asked.append(query)
        start = int(query.get("cursor", ["0"])[0])
        page = [
            {"server": server, "_meta": {_OFFICIAL: {"status": self._status(server)}}}
            for server in self.servers[start : start + 2]
        ]
        more = start + 2 < len(self.servers)
        following = (start + 2) if self.turns else 0
        metadata = {"count": len(page), **({"nextCursor": str(following)} if more else {})}
        return JSONResponse({"servers": page, "metadata": metadata})

    def _status(self, server: dict[str, Any]) -> str:
        return self.status.get(str(server.get("name")), "active")

    async def moved(self, request: Request) -> Response:
        return RedirectResponse("/v0.1/servers")
