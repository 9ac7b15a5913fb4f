"""Stage: what a session wants to hear of from now on, or no more. Its stream tells it, wherever it stands."""

from mcp_gateway.ask import Ask
from mcp_gateway.catalog import Catalog
from mcp_gateway.reply import JSON_HEADERS
from mcp_gateway.route import Target
from mcp_gateway.standing.watches import Watch, Watches
from shared import jsonrpc
from shared.asgi import Exchange
from shared.errors import BadRequest

_NOTHING = b"{}"


class Subscribe:
    def __init__(self, catalog: Catalog, watches: Watches) -> None:
        self._catalog = catalog
        self._watches = watches

    async def __call__(self, exchange: Exchange, ask: Ask, target: Target) -> None:
        """Raises BadRequest where the server does not tell of its resources, UpstreamFault, Unavailable."""
        assert ask.session is not None
        assert ask.named is not None
        if "resources" not in (await self._catalog.listing(target.server)).welcome.capabilities:
            raise BadRequest(
                f"the MCP server {target.server!r} has no resources", code=jsonrpc.METHOD_NOT_FOUND
            )
        watch = Watch(target.server, target.name, ask.named.name)
        if ask.method.name == "resources/subscribe":
            await self._watches.add(ask.session, watch)
        else:
            await self._watches.remove(ask.session, watch)
        await exchange.reply(200, JSON_HEADERS, jsonrpc.result(ask.id, _NOTHING))
