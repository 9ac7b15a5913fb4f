"""What is decided before anybody asks who calls: addresses, maintenance, and the questions of browsers.

An ASGI layer round the whole edge, so that pages without a credential are behind it as well.
"""

from collections.abc import Callable, Mapping

from msgspec import Struct

from api_gateway.addresses import Addresses
from api_gateway.config import Section
from api_gateway.cors import CorsRule, asked_method
from api_gateway.gateways import ROUTES, Gateways
from api_gateway.guard import strip_identity
from api_gateway.http_route import HttpRoute
from api_gateway.maintenance import MaintenanceBoard
from api_gateway.routes import RouteTable
from api_gateway.websocket import WebSocketExchange
from shared.account import Account
from shared.asgi import Exchange, Message, Receive, Scope, Send
from shared.client_address import App
from shared.dialects import Dialect
from shared.errors import Forbidden, GatestackError
from shared.health import PUBLIC_PATHS

# Who ends a maintenance must get in during it.
_OPERATORS = "/admin/"


class RouteRule(Struct, frozen=True):
    """What a route asks of requests for it, whoever sends them."""

    addresses: Addresses | None = None
    cors: CorsRule | None = None


_NO_RULE = RouteRule()


class Door:
    """Between the server and `app`. `dialect` is what refusals at a path are written in."""

    def __init__(
        self,
        app: App,
        *,
        section: Section,
        routes: RouteTable,
        account: Account,
        dialect: Callable[[Exchange], Dialect],
        board: MaintenanceBoard,
    ) -> None:
        self._app = app
        self._addresses = Addresses(section.addresses) if section.addresses is not None else None
        self._rules = rules_of(section)
        self._routes = routes
        self._account = account
        self._dialect = dialect
        self._board = board

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in PUBLIC_PATHS or not self._looks():
            await self._app(scope, receive, send)
            return
        exchange = _exchange(scope, receive, send)
        wanted = asked_method(exchange)
        route, rule = self._ruled(exchange, wanted or exchange.method)
        origin = exchange.header_or_none("origin")
        asks = rule.cors is not None and wanted is not None
        if wanted is not None and not asks:
            # Nobody answers here: it goes where its own method leads.
            route, rule = self._ruled(exchange, exchange.method)
        if rule.cors is not None and not asks and scope["type"] == "http":
            send = _with(send, rule.cors, origin)
            exchange = _exchange(scope, receive, send)
        try:
            self._check(exchange, route, rule)
        except GatestackError as error:
            await self._refuse(exchange, route, error)
            return
        if rule.cors is not None and asks:
            await self._preflight(exchange, route, rule.cors, origin or "")
        else:
            await self._app(scope, receive, send)

    def _looks(self) -> bool:
        return self._addresses is not None or bool(self._rules) or self._board.any

    def _ruled(self, exchange: Exchange, method: str) -> tuple[str, RouteRule]:
        """The route that this request would be led to with `method`, and what that asks of it."""
        route = self._route(exchange, method)
        return route, self._rules.get(route, _NO_RULE)

    def _route(self, exchange: Exchange, method: str) -> str:
        """The name of the route that this request would be led to with `method`, "" where there is none."""
        known = Exchange(dict(exchange.scope), _nothing, _nowhere)
        known.method = method
        strip_identity(known)
        try:
            return self._routes.match(known).name
        except GatestackError:
            return ""

    def _check(self, exchange: Exchange, route: str, rule: RouteRule) -> None:
        client = exchange.scope.get("client")
        for addresses in (self._addresses, rule.addresses):
            if addresses is not None:
                addresses.check(client)
        if not exchange.path.startswith(_OPERATORS):
            self._board.check(route)

    async def _refuse(self, exchange: Exchange, route: str, error: GatestackError) -> None:
        async with self._account(exchange, self._dialect(exchange)) as flight:
            flight.entry.resource = f"route:{route}" if route else ""
            raise error

    async def _preflight(self, exchange: Exchange, route: str, cors: CorsRule, origin: str) -> None:
        async with self._account(exchange, self._dialect(exchange)) as flight:
            flight.entry.resource, flight.entry.action = f"route:{route}", "preflight"
            if not cors.allows(origin):
                raise Forbidden("pages of this origin may not call this route")
            await exchange.start(204, cors.preflight(origin))
            await exchange.finish()


def rules_of(section: Section) -> Mapping[str, RouteRule]:
    """The routes that ask for anything, by their names."""
    asked: list[tuple[str, Gateways | HttpRoute]] = [(name, section.gateways) for name in ROUTES] + [
        (route.name, route) for route in section.routes
    ]
    return {
        name: RouteRule(Addresses(of.addresses) if of.addresses is not None else None, of.cors)
        for name, of in asked
        if of.addresses is not None or of.cors is not None
    }


def _exchange(scope: Scope, receive: Receive, send: Send) -> Exchange:
    kind = WebSocketExchange if scope["type"] == "websocket" else Exchange
    return kind(scope, receive, send)


def _with(send: Send, cors: CorsRule, origin: str | None) -> Send:
    async def changed(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": cors.changed(message.get("headers", ()), origin)}
        await send(message)

    return changed


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _nowhere(_: Message) -> None:
    """Nobody is there to hear it."""
