"""One call of an endpoint that is not chat, from bytes in to bytes out: the same stages in the same order."""

from hashlib import sha256

import msgspec

from llm_gateway.approve import approve
from llm_gateway.authorize import Authorize
from llm_gateway.cache.bodies import BodyCache
from llm_gateway.catalog import Model
from llm_gateway.endpoints.endpoint import Endpoint, Inquiry
from llm_gateway.endpoints.forward import Forward
from llm_gateway.endpoints.inspect import Inspect
from llm_gateway.endpoints.replay import replay
from llm_gateway.endpoints.route import EndpointRouter
from llm_gateway.files_named import renamed
from llm_gateway.files_owned import OwnedFiles
from llm_gateway.limit import Limit
from llm_gateway.multipart import Part
from llm_gateway.pin import Pin
from llm_gateway.reach import Reach
from shared.account import Account
from shared.approvals import Park
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
        park: Park,
        limit: Limit,
        inspect: Inspect,
        cache: BodyCache,
        route: EndpointRouter,
        forward: Forward,
        max_body_bytes: int,
        reach: Reach,
        files: OwnedFiles,
    ) -> None:
        self._endpoint = endpoint
        self._account = account
        self._authenticate = authenticate
        self._authorize = authorize
        self._park = park
        self._limit = limit
        self._inspect = inspect
        self._cache = cache
        self._route = route
        self._forward = forward
        self._max_body_bytes = max_body_bytes
        self._reach = reach
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, self._endpoint.dialect) as flight:
            caller = await self._authenticate(exchange)
            flight.identify(caller)
            flight.entry.method = self._endpoint.name
            inquiry, body = await self._read(exchange)
            grant, model = await self._authorize(flight, caller, inquiry)
            flight.taint = model.labels
            pin = await self._files.pin(caller, inquiry.files)
            await approve(self._park, grant, told(inquiry, body), flight)
            flight.lease = await self._limit(
                grant, _silent(model, inquiry), _countable(inquiry), flight.entry.tags
            )
            exchange.stamps += self._endpoint.rate_headers(flight.lease)
            guards = await self._inspect(inquiry, flight, model)
            chosen = self._route.choose(self._endpoint, model, inquiry, flight)
            found = await self._cache.find(
                exchange, flight, grant, model, self._endpoint, inquiry, guards, chosen.group
            )
            if found.kept is not None:
                flight.sends()
                await replay(exchange, flight, found.kept)
                return
            plan = self._route(self._endpoint, _silent(model, inquiry), inquiry, flight, chosen, pin)
            inquiry = self._renamed(exchange, inquiry, pin)
            flight.sends()
            body = await self._forward(exchange, flight, self._endpoint, inquiry, plan)
            self._cache.keep(found.place, body, flight)

    async def _read(self, exchange: Exchange) -> tuple[Inquiry, bytes]:
        if exchange.method != "POST":
            raise MethodNotAllowed(f"{exchange.path} takes POST only")
        content_type = exchange.header("content-type") or ""
        body = await exchange.body(self._max_body_bytes)
        inquiry = self._endpoint.read(body, content_type, exchange.path_params)
        if not inquiry.names:
            self._reach.refuse_models(inquiry)
        elif files := self._reach.files(inquiry):
            inquiry = msgspec.structs.replace(inquiry, files=files)
        return inquiry, body

    def _renamed(self, exchange: Exchange, inquiry: Inquiry, pin: Pin) -> Inquiry:
        """`inquiry` with its files under the names of the provider that keeps them."""
        if not pin.files:
            return inquiry
        body = renamed(inquiry.body, pin.files)
        return self._endpoint.read(body, exchange.header("content-type") or "", exchange.path_params)


def told(inquiry: Inquiry, body: bytes) -> bytes:
    """What a person is asked about. A form is its parts: what stands between them is new each time."""
    if inquiry.form is None:
        return body
    parts = [(part.head.name, part.head.filename, _value(part)) for part in inquiry.form.parts]
    return msgspec.json.encode(parts)


def _value(part: Part) -> str:
    if part.head.filename is not None:
        return f"{len(part.value)} bytes, SHA-256 {sha256(part.value).hexdigest()}"
    return part.value.decode("utf-8", "backslashreplace")


def _silent(model: Model, inquiry: Inquiry) -> Model:
    """`model` as limits see it: where an answer has no tokens of its own, none are set aside for it."""
    return model if inquiry.talks else msgspec.structs.replace(model, default_output_tokens=0)


def _countable(inquiry: Inquiry) -> Inquiry:
    """`inquiry` as limits see it: who sends tokens has counted them already."""
    return inquiry if inquiry.texts else msgspec.structs.replace(inquiry, body=b"")
