"""Stage: from a request's path and body to what is asked of which agent. Whether it may be is not decided
here.
"""

import re

from msgspec import Struct

from agent_gateway.bindings.incoming import Incoming
from agent_gateway.bridges.asked import named
from agent_gateway.call import Call
from agent_gateway.catalog import PREFIX, Agent, Catalog
from shared.account import Flight
from shared.asgi import Exchange
from shared.dialects.a2a import A2A
from shared.errors import MethodNotAllowed, NotFound

_PATH = re.compile(
    r"/agents(?:/(?P<name>[a-z0-9][a-z0-9_-]{0,62})?"
    r"(?:(?P<card>/\.well-known/agent(?:-card)?\.json|(?P<original>/card/original))"
    r"|(?P<below>/(?!\.well-known/).+))?/?)?"
)
_REQUEST_ID_LENGTH = 100


class Ask(Struct, frozen=True, kw_only=True):
    """`name` is the agent's, "" for the directory; `agent` is None where there is none of this name.

    Without a `call` it is a page that is asked for: the agent's card, the `original` of it, or the directory.
    """

    name: str = ""
    agent: Agent | None = None
    call: Call | None = None
    original: bool = False

    @property
    def resource(self) -> str:
        return PREFIX + (self.name or "*")


class Read:
    def __init__(self, catalog: Catalog, incoming: Incoming, *, body_cap: int) -> None:
        self._catalog = catalog
        self._incoming = incoming
        self._body_cap = body_cap

    async def __call__(self, exchange: Exchange, flight: Flight) -> Ask:
        """Raises NotFound, MethodNotAllowed, TooLarge, BadRequest."""
        found = _PATH.fullmatch(exchange.path)
        if found is None or ((found["card"] or found["below"]) and not found["name"]):
            raise NotFound(f"nothing is served at {exchange.path[:200]}")
        name = found["name"] or ""
        agent = self._catalog.find(name)
        flight.entry.agent = name
        if found["card"] or not name:
            _only(exchange, "GET", "HEAD")
            return Ask(name=name, agent=agent, original=found["original"] is not None)
        call = await self._call(exchange, flight, found["below"])
        if agent is not None:
            call = named(agent.bridge, call)
        entry = flight.entry
        entry.method = call.method.name
        entry.skill, entry.task, entry.context = call.names.skill, call.names.task, call.names.context
        entry.request_id = bytes(call.id).decode("utf-8", "replace").strip('"')[:_REQUEST_ID_LENGTH]
        return Ask(name=name, agent=agent, call=call)

    async def _call(self, exchange: Exchange, flight: Flight, below: str | None) -> Call:
        if below is not None:
            flight.dialect = A2A(rest=True, earlier=below.startswith("/v1/"))
            body = await exchange.body(self._body_cap) if exchange.expects_body else b""
            return self._incoming.over_rest(exchange, below, body)
        _only(exchange, "POST")
        body = await exchange.body(self._body_cap)
        flight.dialect = A2A().knowing(exchange, body)
        return self._incoming.over_jsonrpc(exchange, body)


def _only(exchange: Exchange, *methods: str) -> None:
    if exchange.method not in methods:
        raise MethodNotAllowed(f"{exchange.path[:200]} takes {' and '.join(methods)}")
