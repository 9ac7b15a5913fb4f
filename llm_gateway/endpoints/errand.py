"""One call that is about no one model, in the same stages as any other; what there is to do is passed in."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec import Struct

from llm_gateway.endpoints.admit import Admit
from shared.account import Account, Flight
from shared.asgi import Exchange, Receive, Scope, Send
from shared.authenticators import Authenticate
from shared.dialects.openai import OpenAI, rate_headers
from shared.policy import Grant

DIALECT = OpenAI()


class Errand(Struct, frozen=True, kw_only=True):
    """`reserves`: it sets limits aside itself, once it knows how much. `provider` is whom it is about, where
    the path alone says that. `hidden` is what a caller is told that may not do it, if that must look like
    something missing.
    """

    resource: str
    action: str
    run: Callable[[Exchange, Flight, Grant], Awaitable[None]]
    reserves: bool = False
    provider: str = ""
    hidden: str = ""
    note: str = ""


class Errands(Protocol):
    def find(self, exchange: Exchange) -> Errand:
        """What a request wants done. Raises BadRequest, MethodNotAllowed, NotFound."""
        ...


class ErrandPipeline:
    def __init__(
        self, errands: Errands, *, account: Account, authenticate: Authenticate, admit: Admit
    ) -> None:
        self._errands = errands
        self._account = account
        self._authenticate = authenticate
        self._admit = admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, DIALECT) as flight:
            caller = await self._authenticate(exchange)
            flight.identify(caller)
            errand = self._errands.find(exchange)
            flight.entry.provider = errand.provider
            if errand.note:
                flight.entry.findings += (errand.note,)
            grant = await self._admit(flight, caller, errand.resource, errand.action, hidden=errand.hidden)
            if not errand.reserves:
                flight.lease = await self._admit.reserve(flight, grant)
                exchange.stamps += rate_headers(flight.lease)
            await errand.run(exchange, flight, grant)
