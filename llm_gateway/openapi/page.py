"""Hands out the document, to whoever is known here."""

from collections.abc import Iterable

import msgspec

from llm_gateway.openapi.document import PATH, document
from shared.account import Account
from shared.asgi import Exchange, Receive, Scope, Send
from shared.authenticators import Authenticate
from shared.dialects import Dialect
from shared.errors import MethodNotAllowed

_JSON = [(b"content-type", b"application/json")]


class Described:
    path = PATH

    def __init__(
        self, served: Iterable[str], *, account: Account, authenticate: Authenticate, dialect: Dialect
    ) -> None:
        self._account = account
        self._authenticate = authenticate
        self._dialect = dialect
        self._body = msgspec.json.encode(document((*served, PATH)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, self._dialect) as flight:
            caller = await self._authenticate(exchange)
            flight.entry.resource, flight.entry.action = "route:llm/openapi", "read"
            flight.identify(caller)
            if exchange.method != "GET":
                raise MethodNotAllowed(f"{PATH} takes GET only")
            await exchange.reply(200, _JSON, self._body)
