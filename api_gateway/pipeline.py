"""One request at the edge, from an unknown client to the service it may use. Each line is a file of the same
name.
"""

import msgspec

from api_gateway.approve import approve
from api_gateway.budget import narrowed
from api_gateway.connect import Connector
from api_gateway.errand import Errand, Forward
from api_gateway.guard import strip_identity
from api_gateway.limit import limit
from api_gateway.recall import Recall
from api_gateway.replay import Replay
from api_gateway.reshape import reshape
from api_gateway.rewrite import rewrite
from api_gateway.routes import Endpoint, RouteTable
from api_gateway.shed import Shed
from api_gateway.validate import validate
from api_gateway.websocket import WebSocketExchange
from shared.account import Account, Flight
from shared.approvals import Park
from shared.asgi import Exchange, Patience, Receive, Scope, Send
from shared.authenticators import Authenticate
from shared.dialects import Dialect
from shared.dialects.mcp import Mcp
from shared.identity.principal import Caller
from shared.limits.limiter import Limiter
from shared.limits.rule import LimitRule
from shared.policy import PolicyBox, authorize


class Pipeline:
    def __init__(
        self,
        *,
        account: Account,
        authenticate: Authenticate,
        routes: RouteTable,
        policy: PolicyBox,
        park: Park,
        rules: list[LimitRule],
        limiter: Limiter,
        forward: Forward,
        recall: Recall,
        replay: Replay,
        connect: Connector,
        dialects: dict[str, Dialect],
        operator_tenant: str,
        patience: Patience,
    ) -> None:
        self._account = account
        self._authenticate = authenticate
        self._routes = routes
        self._shed = Shed(routes)
        self._policy = policy
        self._park = park
        self._rules = rules
        self._limiter = limiter
        self._forward = forward
        self._recall = recall
        self._replay = replay
        self._connect = connect
        self._dialects = dialects
        self._operator_tenant = operator_tenant
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocketExchange(scope, receive, send) if scope["type"] == "websocket" else None
        exchange = socket or Exchange(scope, receive, send)
        exchange.patience = self._patience
        strip_identity(exchange)
        async with self._account(exchange, self.dialect(exchange)) as flight:
            self._shed(exchange, flight)
            caller = await self._authenticate(exchange)
            if self._operates(caller, exchange.path):
                # Otherwise nobody could lift a kill of everything.
                flight.spare()
            flight.identify(caller)
            flight.entry.findings += own_chain(caller)
            caller = flight.entry.caller = narrowed(caller, exchange)
            # Only now, so that an unknown client learns nothing about which paths exist.
            route = self._routes.match(exchange)
            if route.upstream is not None:
                rewrite(exchange, route.upstream.paths)
            flight.entry.resource, flight.entry.action = route.resource, route.action
            asked = caller if route.scoped else unscoped(caller)
            grant = authorize(
                self._policy.current, asked, route.resource, route.action, {"path": exchange.path}
            )
            flight.granted(grant)
            await reshape(exchange, route.upstream)
            await approve(self._park, grant, exchange, flight)
            flight.lease = await limit(grant, self._rules, self._limiter, route.name)
            if socket is not None:
                await self._connect(socket, flight, caller, route.upstream)
            elif route.upstream is not None:
                await validate(exchange, route.upstream)
                await self._send(Errand(exchange, flight, caller, route.upstream))
            elif route.endpoint is not None:
                await _serve(route.endpoint, exchange, flight, caller)

    async def _send(self, errand: Errand) -> None:
        """To what is kept of earlier requests, where the route keeps something, or to the service."""
        once = errand.upstream.idempotency
        if once is not None and errand.exchange.method in once.methods:
            await self._replay(errand)
        elif errand.upstream.cache is not None:
            await self._recall(errand)
        else:
            await self._forward(errand)

    def dialect(self, exchange: Exchange) -> Dialect:
        """What the caller of this path reads errors in."""
        dialect = self._dialects[self._routes.dialect(exchange.path)]
        return dialect.at(exchange) if isinstance(dialect, Mcp) else dialect

    def _operates(self, caller: Caller, path: str) -> bool:
        """Is this an operator at the controls? (With a key of their own: an agent in their name is not.)"""
        own = caller.credential == "key" and caller.principal.tenant == self._operator_tenant
        return own and path.startswith("/admin/")


async def _serve(endpoint: Endpoint, exchange: Exchange, flight: Flight, caller: Caller) -> None:
    """What is the edge's own."""
    # A kill that stops its own author must still be answered.
    flight.spare()
    flight.sends()
    await endpoint(exchange, flight, caller)


def own_chain(caller: Caller) -> tuple[str, ...]:
    """What the ledger says of an agent that calls with a credential of its own instead of the token that it
    was handed: what it does has no origin but itself.
    """
    if caller.credential in ("key", "oidc") and caller.actor.startswith("agent:"):
        return (f"own_chain:{caller.actor} called with a {caller.credential} of its own",)
    return ()


def unscoped(caller: Caller) -> Caller:
    """The caller without its scope: what that narrows is decided by the gateway behind the route."""
    if not caller.principal.scope:
        return caller
    return msgspec.structs.replace(caller, principal=msgspec.structs.replace(caller.principal, scope=()))
