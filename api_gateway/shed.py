"""Stage: is there room for anybody? Where a service can take nobody at all, that is said before it is asked
who calls: refusing a flood must cost less than what the flood keeps from being done.
"""

from api_gateway.routes import Route, RouteTable
from shared.account import Flight
from shared.asgi import Exchange
from shared.errors import Refusal


class Shed:
    def __init__(self, routes: RouteTable) -> None:
        self._routes = routes

    def __call__(self, exchange: Exchange, flight: Flight) -> None:
        """Raises Overloaded."""
        if not any(gate.full for gate in self._routes.upstreams.gates):
            return
        route = self._route(exchange)
        upstream = route.upstream if route is not None else None
        # What is kept of earlier answers is given without the service.
        if route is None or upstream is None or upstream.gate is None or upstream.keeps:
            return
        flight.entry.resource, flight.entry.action = route.resource, route.action
        upstream.gate.check()

    def _route(self, exchange: Exchange) -> Route | None:
        """None where there is none, which only callers who are known may hear."""
        try:
            return self._routes.match(exchange)
        except Refusal:
            return None
