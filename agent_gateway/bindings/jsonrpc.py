"""A2A 1.0 over JSON-RPC. Bytes go through as they are; only the envelope and the ids that rights hang on
are read.
"""

import msgspec
from msgspec import Raw

from agent_gateway import versions
from agent_gateway.bindings import Answer
from agent_gateway.bindings.params import names_of
from agent_gateway.call import Call
from agent_gateway.methods import method_of
from shared import jsonrpc
from shared.asgi import Exchange
from shared.dialects import a2a
from shared.errors import BadRequest, UpstreamBroken
from shared.jsonrpc import Envelope

_JSON_TYPES = ("application/json", "application/a2a+json")
_ENVELOPE = msgspec.json.Decoder(Envelope)
_PARAMS = msgspec.json.Decoder(dict[str, Raw])


class JsonRpc:
    """`extensions` are the A2A extensions that clients may use."""

    def __init__(self, extensions: frozenset[str]) -> None:
        self._extensions = extensions

    def read(self, exchange: Exchange, body: bytes) -> Call:
        check_content_type(exchange)
        envelope = jsonrpc.read(body)
        if not envelope.method:
            raise BadRequest("the request names no method", code=jsonrpc.INVALID_REQUEST)
        if not envelope.has_id:
            raise BadRequest(
                "the request has no id: every A2A request is answered", code=jsonrpc.INVALID_REQUEST
            )
        versions.check_version(exchange, envelope.method)
        method = method_of(envelope.method)
        params = _params(envelope.params)
        return Call(
            method=method,
            id=Raw(bytes(envelope.id)),
            params=params,
            names=names_of(method, params),
            extensions=versions.extensions(exchange, self._extensions),
        )

    def write(self, call: Call, params: bytes) -> bytes:
        return jsonrpc.request(bytes(call.id), call.method.name, params)

    def answer(self, call: Call, body: bytes) -> Answer:
        try:
            envelope = _ENVELOPE.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise UpstreamBroken("the agent's answer is not JSON-RPC", cause=error) from error
        failed = bytes(envelope.error) not in (b"", b"null")
        if envelope.jsonrpc != "2.0" or failed == bool(bytes(envelope.result)):
            raise UpstreamBroken("the agent's answer is no JSON-RPC response")
        if not _same(envelope.id, call.id):
            if not failed or bytes(envelope.id) not in (b"", b"null"):
                raise UpstreamBroken("the agent answered another request than the one it was sent")
            # Errors may come without an id: the client still has to recognise the answer as its own.
            body = b'{"jsonrpc":"2.0","id":' + bytes(call.id) + b',"error":' + bytes(envelope.error) + b"}"
        if failed:
            return Answer(body=body, code=_code(envelope.error))
        return Answer(body=body, result=Raw(bytes(envelope.result)))


def check_content_type(exchange: Exchange) -> None:
    """Raises BadRequest (-32005) where the body says that it is something else than JSON."""
    given = exchange.header("content-type")
    if given is not None and given.partition(";")[0].strip().lower() not in _JSON_TYPES:
        raise BadRequest("send the request as application/json", code=a2a.CONTENT_TYPE_NOT_SUPPORTED)


class _Error(msgspec.Struct):
    code: int


_ERROR = msgspec.json.Decoder(_Error)


def _code(error: Raw) -> int:
    try:
        return _ERROR.decode(error).code
    except msgspec.DecodeError as problem:
        raise UpstreamBroken("the agent's error is no JSON-RPC error", cause=problem) from problem


def _params(raw: Raw) -> dict[str, Raw]:
    try:
        return _PARAMS.decode(bytes(raw) or b"{}")
    except msgspec.DecodeError as error:
        raise BadRequest("params must be an object", code=jsonrpc.INVALID_PARAMS, cause=error) from error


def _same(one: Raw, other: Raw) -> bool:
    """Whether two ids are one: agents may write the same string or number in another way."""
    left, right = bytes(one), bytes(other)
    if left == right:
        return True
    try:
        return bool(left) and msgspec.json.decode(left) == msgspec.json.decode(right)
    except msgspec.DecodeError:
        return False
