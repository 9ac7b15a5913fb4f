"""A2A 1.0 over JSON-RPC. Bytes go through as they are; only the envelope and the ids that rights hang on
are read.
"""

import msgspec
from msgspec import Raw

from agent_gateway.bindings import Answer, Params, Request, Written, errors
from agent_gateway.call import Call
from shared import jsonrpc, sse
from shared.errors import UpstreamBroken
from shared.jsonrpc import Envelope

_ENVELOPE = msgspec.json.Decoder(Envelope)
_KIND = "application/json"


class JsonRpc:
    def request(self, call: Call, params: Params, url: str) -> Request:
        body = jsonrpc.request(bytes(call.id), call.method.name, msgspec.json.encode(params))
        return Request(method="POST", url=url, body=body)

    def answer(self, call: Call, body: bytes, status: int = 200) -> Answer:
        envelope = opened(call, body)
        failed = bytes(envelope.error) not in (b"", b"null")
        if not same(envelope.id, call.id):
            if not failed or bytes(envelope.id) not in (b"", b"null"):
                raise UpstreamBroken("the agent answered another request than the one it was sent")
            # Errors may come without an id: the client still has to recognise the answer as its own.
            body = b'{"jsonrpc":"2.0","id":' + bytes(call.id) + b',"error":' + bytes(envelope.error) + b"}"
        if failed:
            return Answer(failure=errors.from_jsonrpc(envelope.error), body=body)
        return Answer(result=Raw(bytes(envelope.result)), body=body)

    def whole(self, call: Call, answer: Answer) -> Written:
        return Written(status=200, kind=_KIND, body=self._body(call, answer))

    def event(self, call: Call, answer: Answer) -> bytes:
        return sse.encode(self._body(call, answer))

    def _body(self, call: Call, answer: Answer) -> bytes:
        if answer.body and answer.wire == call.wire:
            return answer.body
        if answer.failure is not None:
            return errors.to_jsonrpc(call.id, answer.failure)
        return jsonrpc.result(call.id, bytes(answer.result))


def opened(call: Call, body: bytes) -> Envelope:
    """The envelope of a JSON-RPC response. Raises UpstreamBroken."""
    try:
        envelope = _ENVELOPE.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamBroken("the agent's answer is not JSON-RPC", cause=error) from error
    failed = bytes(envelope.error) not in (b"", b"null")
    # Servers that leave out what is null leave out the result of what has none.
    answered = bool(bytes(envelope.result)) or (call.method.yields == "nothing" and not failed)
    if envelope.jsonrpc != "2.0" or failed == answered:
        raise UpstreamBroken("the agent's answer is no JSON-RPC response")
    return envelope


def same(one: Raw, other: Raw) -> bool:
    """Whether two ids are one: agents may write the same string or number in another way."""
    left, right = bytes(one), bytes(other)
    if left == right:
        return True
    try:
        return bool(left) and msgspec.json.decode(left) == msgspec.json.decode(right)
    except msgspec.DecodeError:
        return False
