"""One message of an MCP client, from bytes in to the server's answer out. Each line is a file of the same
name.
"""

from mcp_gateway.answer import Answer
from mcp_gateway.approve import Approve
from mcp_gateway.authorize import Authorize
from mcp_gateway.catalog import Catalog
from mcp_gateway.check import check, refuse_foreign
from mcp_gateway.endpoint import Endpoint
from mcp_gateway.forward import Forward
from mcp_gateway.guard import Guard
from mcp_gateway.limit import Limit
from mcp_gateway.listen import Listen
from mcp_gateway.read import Read
from mcp_gateway.route import Route
from mcp_gateway.subscribe import Subscribe
from shared.account import Account
from shared.asgi import Exchange, Receive, Scope, Send
from shared.authenticators import Authenticate
from shared.dialects.mcp import Mcp


class Pipeline:
    def __init__(
        self,
        *,
        account: Account,
        dialect: Mcp,
        origins: frozenset[str],
        hosts: frozenset[str],
        authenticate: Authenticate,
        endpoint: Endpoint,
        read: Read,
        route: Route,
        catalog: Catalog,
        authorize: Authorize,
        guard: Guard,
        approve: Approve,
        limit: Limit,
        forward: Forward,
        listen: Listen,
        subscribe: Subscribe,
        answer: Answer,
    ) -> None:
        self._account = account
        self._dialect = dialect
        self._origins = origins
        self._hosts = hosts
        self._authenticate = authenticate
        self._endpoint = endpoint
        self._read = read
        self._route = route
        self._catalog = catalog
        self._authorize = authorize
        self._guard = guard
        self._approve = approve
        self._limit = limit
        self._forward = forward
        self._listen = listen
        self._subscribe = subscribe
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, self._dialect.at(exchange)) as flight:
            refuse_foreign(exchange, self._origins, self._hosts)
            caller = await self._authenticate(exchange)
            flight.identify(caller)
            # Only now, so that an unknown client learns nothing about which paths exist.
            ask = await self._read(exchange, flight, caller, self._endpoint(exchange, caller))
            target = await self._route(ask)
            grant = await self._authorize(ask, target, caller, flight)
            inspection = await self._guard(ask, target, caller, flight)
            if inspection.ask is not ask:
                # What policy and people say yes to is what goes out.
                grant = await self._authorize(inspection.ask, target, caller, flight)
            await self._approve(grant, inspection.ask, target, exchange, flight)
            flight.lease = await self._limit(grant, ask, target)
            item = await check(ask, target, self._catalog, exchange, flight)
            if ask.method.does == "listen":
                await self._listen(exchange, flight, caller, ask)
            elif ask.method.does == "subscribe" and target is not None:
                flight.sends()
                await self._subscribe(exchange, ask, target)
            elif target is not None:
                await self._forward(exchange, flight, caller, inspection, target, item)
            else:
                await self._answer(exchange, flight, caller, ask)
