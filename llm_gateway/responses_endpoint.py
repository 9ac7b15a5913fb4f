"""What callers do with a response afterwards: read it, read what was said for it, delete it. Asking for one
is the pipeline's business.

Source: https://platform.openai.com/docs/api-reference/responses
"""

from collections.abc import Awaitable
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from msgspec import Raw

from llm_gateway.ask import Ask
from llm_gateway.authorize import Authorize
from llm_gateway.catalog import Model, Target
from llm_gateway.responses import Record, Responses, missing
from llm_gateway.responses_items import page
from shared.account import Account, Flight
from shared.asgi import Exchange, Receive, Scope, Send
from shared.authenticators import Authenticate
from shared.dialects import Dialect
from shared.errors import BadRequest, MethodNotAllowed, NotFound, UpstreamFault
from shared.http_client import HttpClient

# Route patterns; the method decides what happens.
PATHS = ("/v1/responses/{id}", "/v1/responses/{id}/input_items", "/v1/responses/{id}/cancel")
_JSON = [(b"content-type", b"application/json")]
_WIRE = "openai_responses"
# What of a query a provider sees.
_PASSED = frozenset(("include", "include[]", "after", "before", "limit", "order"))
_METHODS = {"": ("GET", "DELETE"), "input_items": ("GET",), "cancel": ("POST",)}
_ACTIONS = {"GET": "read", "DELETE": "delete", "POST": "cancel"}
_REPLY_BYTES, _ERROR_BYTES = 67_108_864, 65_536


class ResponsesEndpoint:
    def __init__(
        self,
        *,
        account: Account,
        authenticate: Authenticate,
        authorize: Authorize,
        responses: Responses,
        http: HttpClient,
        dialect: Dialect,
    ) -> None:
        self._account = account
        self._authenticate = authenticate
        self._authorize = authorize
        self._responses = responses
        self._http = http
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        async with self._account(exchange, self._dialect) as flight:
            caller = await self._authenticate(exchange)
            flight.identify(caller)
            id = exchange.path_params.get("id", "")
            what = exchange.path.rpartition("/")[2] if exchange.path.count("/") > 3 else ""
            _check(exchange, what)
            record = await self._responses.find(caller, id)
            # Who may no longer use the model may no longer read what it has said either.
            asked = Ask(model=record.model, stream=False, body=b"", spans={}, tokens_in=0)
            _, model = await self._authorize(flight, caller, asked)
            flight.entry.action = _ACTIONS[exchange.method]
            if record.target:
                body = await self._upstream(exchange, flight, model, record, id, what)
            else:
                body = _kept(exchange, record, id, what)
            if exchange.method == "DELETE":
                await self._responses.forget(caller, id)
            await exchange.reply(200, _JSON, body)

    async def _upstream(
        self, exchange: Exchange, flight: Flight, model: Model, record: Record, id: str, what: str
    ) -> bytes:
        """The provider's own answer. Raises NotFound, UpstreamFault."""
        target = next((each for each in model.targets if each.name == record.target), None)
        if target is None:
            raise missing(id)
        flight.entry.provider, flight.entry.model = target.provider.name, target.model
        flight.check()
        section = target.provider.section
        address = _address(target, record.upstream_id, what, exchange.query)
        reply = await self._http.send(
            exchange.method,
            address,
            headers=target.provider.headers([], address=address, body=b""),
            connect_timeout=section.connect_timeout_seconds,
            header_timeout=section.first_byte_timeout_seconds,
            idle_timeout=section.idle_timeout_seconds,
        )
        async with reply:
            if reply.status == 404:
                raise missing(id)
            if not 200 <= reply.status < 300:
                raise target.provider.refusal(reply, await _error_body(reply.read(_ERROR_BYTES)))
            body = await reply.read(_REPLY_BYTES)
        return body.replace(record.upstream_id.encode(), id.encode()) if id != record.upstream_id else body


def _check(exchange: Exchange, what: str) -> None:
    allowed = _METHODS.get(what)
    if allowed is None:
        raise NotFound(f"there is nothing at {exchange.path[:200]}")
    if exchange.method not in allowed:
        raise MethodNotAllowed(f"{exchange.path[:200]} takes {' and '.join(allowed)} only")
    if any(name == "stream" and value.lower() == "true" for name, value in parse_qsl(exchange.query)):
        raise BadRequest(
            "stream: a response that is complete is not streamed again", data={"param": "stream"}
        )


def _kept(exchange: Exchange, record: Record, id: str, what: str) -> bytes:
    if what == "cancel":
        raise BadRequest("only a response in the background can be cancelled", data={"param": "id"})
    if exchange.method == "DELETE":
        return msgspec.json.encode({"id": id, "object": "response", "deleted": True})
    if not record.response:
        raise missing(id)
    return msgspec.json.encode(page(Raw(record.input), exchange.query)) if what else record.response


def _address(target: Target, id: str, what: str, query: str) -> str:
    base, _, own = target.provider.address(_WIRE, target.model, stream=False).partition("?")
    asked = [(name, value) for name, value in parse_qsl(query) if name in _PASSED]
    path = "/".join((base, quote(id, safe=""), *([what] if what else [])))
    whole = "&".join(part for part in (own, urlencode(asked)) if part)
    return f"{path}?{whole}" if whole else path


async def _error_body(read: Awaitable[bytes]) -> bytes:
    try:
        return await read
    except UpstreamFault:
        return b""
