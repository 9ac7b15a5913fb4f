"""What a client asks for, whichever wire it speaks: JSON-RPC or HTTP+JSON, 1.0 or 0.3."""

import msgspec
from msgspec import Raw

from agent_gateway import versions
from agent_gateway.bindings import paths
from agent_gateway.bindings.earlier import operations
from agent_gateway.bindings.earlier import rest as earlier_rest
from agent_gateway.bindings.extensions import Extensions
from agent_gateway.bindings.params import names_of
from agent_gateway.call import Call, Method, Wire
from agent_gateway.methods import method_of
from shared import jsonrpc
from shared.asgi import Exchange
from shared.dialects import a2a
from shared.errors import BadRequest

_JSON_TYPES = ("application/json", "application/a2a+json")
_PARAMS = msgspec.json.Decoder(dict[str, Raw])
# HTTP+JSON has no ids of requests: an agent behind JSON-RPC still needs one.
_NO_ID = Raw(b'"1"')


class Incoming:
    def __init__(self, extensions: Extensions) -> None:
        self._extensions = extensions

    def over_jsonrpc(self, exchange: Exchange, body: bytes) -> Call:
        """Raises BadRequest with the code that fits."""
        check_content_type(exchange)
        envelope = jsonrpc.read(body)
        if not envelope.method:
            raise BadRequest("the request names no method", code=jsonrpc.INVALID_REQUEST)
        if not envelope.has_id:
            raise BadRequest(
                "the request has no id: every A2A request is answered", code=jsonrpc.INVALID_REQUEST
            )
        version = versions.of_method(exchange, envelope.method)
        method, params = method_of(envelope.method), _params(envelope.params)
        if version == versions.EARLIER:
            params = operations.raised_params(method, params)
            return self._call(exchange, method, params, "JSONRPC/0.3", Raw(bytes(envelope.id)))
        return self._call(exchange, method, params, "JSONRPC/1.0", Raw(bytes(envelope.id)))

    def over_rest(self, exchange: Exchange, path: str, body: bytes) -> Call:
        """`path` is what follows the agent's name. Raises BadRequest, NotFound, MethodNotAllowed."""
        version = versions.of_path(exchange, path)
        asked = paths.read(exchange.method, path)
        if body:
            check_content_type(exchange)
            jsonrpc.refuse_duplicates(body)
        given = _params(Raw(body)) if body else {}
        if version == versions.EARLIER:
            params = earlier_rest.raised_params(asked, given, exchange.query)
            return self._call(exchange, asked.method, params, "HTTP+JSON/0.3", _NO_ID)
        params = paths.params(asked, given, exchange.query)
        return self._call(exchange, asked.method, params, "HTTP+JSON/1.0", _NO_ID)

    def _call(
        self, exchange: Exchange, method: Method, params: dict[str, Raw], wire: Wire, request_id: Raw
    ) -> Call:
        active = self._extensions.asked(exchange)
        names = names_of(method, params)
        if method.delegates:
            params = self._extensions.cleaned(params)
        return Call(method=method, id=request_id, params=params, names=names, wire=wire, extensions=active)


def check_content_type(exchange: Exchange) -> None:
    """Raises BadRequest (-32005) where the body says that it is something else than JSON."""
    given = exchange.header("content-type")
    if given is not None and given.partition(";")[0].strip().lower() not in _JSON_TYPES:
        raise BadRequest("send the request as application/json", code=a2a.CONTENT_TYPE_NOT_SUPPORTED)


def _params(raw: Raw) -> dict[str, Raw]:
    try:
        return _PARAMS.decode(bytes(raw) or b"{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest("params must be an object", code=jsonrpc.INVALID_PARAMS, cause=error) from error
