"""One call of an endpoint that is not chat, from bytes in to bytes out: the same stages in the same order."""

import msgspec

from llm_gateway.authorize import Authorize
from llm_gateway.catalog import Model
from llm_gateway.endpoints.endpoint import Endpoint, Inquiry
from llm_gateway.endpoints.forward import Forward
from llm_gateway.endpoints.inspect import Inspect
from llm_gateway.limit import Limit
from llm_gateway.route import route
from shared.account import Account
from shared.asgi import Exchange, Receive, Scope, Send
from shared.authenticators import Authenticate
from shared.errors import MethodNotAllowed


class EndpointPipeline:
    def __init__(
        self,
        endpoint: Endpoint,
        *,
        account: Account,
        authenticate: Authenticate,
        authorize: Authorize,
        limit: Limit,
        inspect: Inspect,
        forward: Forward,
        max_body_bytes: int,
    ) -> None:
        self._endpoint = endpoint
        self._account = account
        self._authenticate = authenticate
        self._authorize = authorize
        self._limit = limit
        self._inspect = inspect
        self._forward = forward
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, self._endpoint.dialect) as flight:
            caller = await self._authenticate(exchange)
            flight.identify(caller)
            inquiry = await self._read(exchange)
            grant, model = await self._authorize(flight, caller, inquiry)
            flight.taint = model.labels
            flight.lease = await self._limit(
                grant, _silent(model, inquiry), _countable(inquiry), flight.entry.tags
            )
            exchange.stamps += self._endpoint.rate_headers(flight.lease)
            await self._inspect(inquiry, flight, model)
            targets = route(model, flight)
            await self._forward(exchange, flight, self._endpoint, inquiry, targets)

    async def _read(self, exchange: Exchange) -> Inquiry:
        if exchange.method != "POST":
            raise MethodNotAllowed(f"{exchange.path} takes POST only")
        content_type = exchange.header("content-type") or ""
        body = await exchange.body(self._max_body_bytes)
        return self._endpoint.read(body, content_type, exchange.path_params)


def _silent(model: Model, inquiry: Inquiry) -> Model:
    """`model` as limits see it: where an answer has no tokens of its own, none are set aside for it."""
    return model if inquiry.talks else msgspec.structs.replace(model, default_output_tokens=0)


def _countable(inquiry: Inquiry) -> Inquiry:
    """`inquiry` as limits see it: who sends tokens has counted them already."""
    return inquiry if inquiry.texts else msgspec.structs.replace(inquiry, body=b"")
