"""One message of an MCP client, from bytes in to the server's answer out. Each line is a file of the same
name.
"""

from mcp_gateway.answer import Answer
from mcp_gateway.authorize import Authorize
from mcp_gateway.catalog import Catalog
from mcp_gateway.endpoint import Endpoint
from mcp_gateway.forward import Forward
from mcp_gateway.guard import inspect, refuse_foreign
from mcp_gateway.limit import Limit
from mcp_gateway.read import Read
from mcp_gateway.route import Route
from shared.account import Account
from shared.asgi import Exchange, Receive, Scope, Send
from shared.authenticators import Authenticate
from shared.dialects.mcp import Mcp, is_stateless


class Pipeline:
    def __init__(
        self,
        *,
        account: Account,
        origins: frozenset[str],
        hosts: frozenset[str],
        authenticate: Authenticate,
        endpoint: Endpoint,
        read: Read,
        route: Route,
        catalog: Catalog,
        authorize: Authorize,
        limit: Limit,
        forward: Forward,
        answer: Answer,
    ) -> None:
        self._account = account
        self._origins = origins
        self._hosts = hosts
        self._authenticate = authenticate
        self._endpoint = endpoint
        self._read = read
        self._route = route
        self._catalog = catalog
        self._authorize = authorize
        self._limit = limit
        self._forward = forward
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, Mcp(stateless=is_stateless(exchange))) as flight:
            refuse_foreign(exchange, self._origins, self._hosts)
            caller = await self._authenticate(exchange)
            flight.identify(caller)
            # Only now, so that an unknown client learns nothing about which paths exist.
            ask = await self._read(exchange, flight, caller, self._endpoint(exchange, caller))
            target = await self._route(ask)
            grant = await self._authorize(ask, target, caller, flight)
            flight.lease = await self._limit(grant, ask, target)
            item = await inspect(ask, target, self._catalog, exchange, flight)
            if target is not None:
                await self._forward(exchange, flight, caller, ask, target, item)
            else:
                await self._answer(exchange, flight, caller, ask)
