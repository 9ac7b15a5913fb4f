"""One model call, from bytes in to tokens out. Each line is a file of the same name."""

from collections.abc import Sequence

from llm_gateway.authorize import Authorize
from llm_gateway.formats import Format
from llm_gateway.forward import Forward
from llm_gateway.guard import Guard, inspect
from llm_gateway.limit import Limit
from llm_gateway.read import read
from llm_gateway.route import route
from shared.account import Account
from shared.asgi import Exchange, Receive, Scope, Send
from shared.authenticators import Authenticate


class Pipeline:
    """`spoken` is the format of the endpoint that it stands at; everything else is the same for all."""

    def __init__(
        self,
        spoken: Format,
        *,
        account: Account,
        authenticate: Authenticate,
        authorize: Authorize,
        limit: Limit,
        guards: Sequence[Guard],
        forward: Forward,
        max_body_bytes: int,
    ) -> None:
        self._spoken = spoken
        self._account = account
        self._authenticate = authenticate
        self._authorize = authorize
        self._limit = limit
        self._guards = guards
        self._forward = forward
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, self._spoken.dialect) as flight:
            caller = await self._authenticate(exchange)
            flight.identify(caller)
            ask = await read(exchange, self._spoken, self._max_body_bytes)
            grant, model = await self._authorize(flight, caller, ask)
            flight.taint = model.labels
            flight.lease = await self._limit(grant, model, ask)
            exchange.stamps += self._spoken.rate_headers(flight.lease)
            ask = await inspect(ask, self._guards, flight.entry)
            targets = route(model, flight)
            await self._forward(exchange, flight, self._spoken, ask, targets)
