"""A2A 0.3 over JSON-RPC: the envelope is the same, what is in it has other names and forms."""

import msgspec
from msgspec import Raw

from agent_gateway.bindings import Answer, Params, Request, Written, errors
from agent_gateway.bindings.earlier import operations
from agent_gateway.bindings.jsonrpc import opened, same
from agent_gateway.call import Call
from agent_gateway.methods import EARLIER
from shared import jsonrpc, sse
from shared.errors import UpstreamBroken

_NAMES = {later: name for name, later in EARLIER.items()}


class EarlierJsonRpc:
    def request(self, call: Call, params: Params, url: str) -> Request:
        # What 0.3 does not have keeps its name, and is refused by the agent should it ever be sent.
        name = _NAMES.get(call.method.name, call.method.name)
        given = operations.lowered_params(call.method, params)
        return Request(
            method="POST", url=url, body=jsonrpc.request(bytes(call.id), name, msgspec.json.encode(given))
        )

    def answer(self, call: Call, body: bytes, status: int = 200) -> Answer:
        envelope = opened(call, body)
        failed = bytes(envelope.error) not in (b"", b"null")
        if not same(envelope.id, call.id):
            if not failed or bytes(envelope.id) not in (b"", b"null"):
                raise UpstreamBroken("the agent answered another request than the one it was sent")
            body = b""
        if failed:
            failure = errors.from_jsonrpc(envelope.error)
            return Answer(failure=failure, body=body, wire="JSONRPC/0.3")
        result = operations.raised_result(call.method, Raw(bytes(envelope.result)))
        return Answer(result=result, body=body, wire="JSONRPC/0.3")

    def whole(self, call: Call, answer: Answer) -> Written:
        return Written(status=200, kind="application/json", body=self._body(call, answer))

    def event(self, call: Call, answer: Answer) -> bytes:
        return sse.encode(self._body(call, answer))

    def _body(self, call: Call, answer: Answer) -> bytes:
        if answer.body and answer.wire == call.wire:
            return answer.body
        if answer.failure is not None:
            return errors.to_jsonrpc(call.id, answer.failure, earlier=True)
        result = operations.lowered_result(call.method, answer.result)
        return jsonrpc.result(call.id, bytes(result))
