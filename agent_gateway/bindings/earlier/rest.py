"""A2A 0.3 over HTTP+JSON, below `/v1`."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from agent_gateway.bindings import Answer, Params, Request, Written, errors, paths
from agent_gateway.bindings import rest as current
from agent_gateway.bindings.earlier import card, configs, proto
from agent_gateway.bindings.earlier.operations import encoded
from agent_gateway.bindings.earlier.raised import Json, kept
from agent_gateway.bindings.paths import Asked
from agent_gateway.call import Call, Yields
from shared import jsonrpc, sse
from shared.errors import BadRequest, UpstreamBroken

_WRONG = (KeyError, TypeError, ValueError, AttributeError, RecursionError)
_KIND = "application/json"


class EarlierRest:
    def request(self, call: Call, params: Params, url: str) -> Request:
        if call.method.yields == "card":
            return Request(method="GET", url=f"{url.rstrip('/')}/v1/card", body=b"")
        given = {name: msgspec.json.decode(value) for name, value in params.items()}
        asked = current.Rest().request(call, params, f"{url.rstrip('/')}/v1")
        body = b"" if not asked.body else msgspec.json.encode(_lowered(call, given))
        return Request(method=asked.method, url=asked.url, body=body)

    def answer(self, call: Call, body: bytes, status: int = 200) -> Answer:
        failure = current.failed(body, status)
        if failure is not None:
            return Answer(failure=failure, wire="HTTP+JSON/0.3")
        if call.method.yields == "nothing":
            return Answer(result=Raw(b"{}"), wire="HTTP+JSON/0.3")
        result = translated(_RAISED[call.method.yields], body)
        return Answer(result=result, body=body, wire="HTTP+JSON/0.3")

    def whole(self, call: Call, answer: Answer) -> Written:
        if answer.failure is not None:
            status, body = errors.to_status(answer.failure, earlier=True)
            return Written(status=status, kind=_KIND, body=body)
        return Written(status=200, kind=_KIND, body=self._body(call, answer))

    def event(self, call: Call, answer: Answer) -> bytes:
        if answer.failure is not None:
            return sse.encode(errors.to_status(answer.failure, earlier=True)[1], "error")
        return sse.encode(self._body(call, answer))

    def _body(self, call: Call, answer: Answer) -> bytes:
        if answer.body and answer.wire == call.wire:
            return answer.body
        if call.method.yields == "nothing":
            return b"{}"
        return bytes(translated(_LOWERED[call.method.yields], bytes(answer.result)))


def raised_params(asked: Asked, given: Params, query: str) -> Params:
    """What a client asks, as 1.0 has it. Raises BadRequest (-32602)."""
    name = asked.method.name
    try:
        body = proto.camel({key: msgspec.json.decode(value) for key, value in given.items()})
        if asked.method.delegates:
            found = _raised_message(body)
        elif name == "CreateTaskPushNotificationConfig":
            found = proto.raised_config(body)
        else:
            found = {}
    except _WRONG as error:
        raise BadRequest(
            f"the body is not of A2A 0.3's form ({type(error).__name__})",
            code=jsonrpc.INVALID_PARAMS,
            cause=error,
        ) from error
    return paths.params(asked, encoded(found), query)


def translated(way: Callable[[Any], Any], raw: bytes) -> Raw:
    try:
        return Raw(msgspec.json.encode(way(proto.camel(msgspec.json.decode(raw)))))
    except _WRONG as error:
        raise UpstreamBroken("the agent's answer is not what A2A prescribes", cause=error) from error


def _raised_message(body: Json) -> Json:
    message = body.get("message") or body["request"]
    found = kept(body, "metadata") | {"message": proto.raised_message(message)}
    given = body.get("configuration")
    if given is not None:
        configuration = kept(given, "acceptedOutputModes")
        if given.get("historyLength"):
            configuration["historyLength"] = given["historyLength"]
        # A field that is absent here is false, and false is what 0.3 means by not waiting.
        configuration["returnImmediately"] = not given.get("blocking", False)
        push = given.get("pushNotification") or given.get("pushNotificationConfig")
        if push:
            configuration["taskPushNotificationConfig"] = configs.raised(push)
        found["configuration"] = configuration
    return found


def _lowered(call: Call, given: Json) -> Json:
    if call.method.name == "CreateTaskPushNotificationConfig":
        config = proto.lowered_config(given)
        # Agents read this as the config itself or as the request that sets it: it is both.
        return config | {
            "parent": f"tasks/{given['taskId']}",
            "configId": given.get("id", ""),
            "config": config,
        }
    if not call.method.delegates:
        return {}
    found = kept(given, "metadata") | {"message": proto.lowered_message(given["message"])}
    configuration = given.get("configuration") or {}
    lowered = kept(configuration, "acceptedOutputModes", "historyLength")
    lowered["blocking"] = not configuration.get("returnImmediately", False)
    push = configuration.get("taskPushNotificationConfig")
    if push:
        lowered["pushNotification"] = configs.lowered(push)
    return found | {"configuration": lowered}


def _raised_configs(given: Json) -> Json:
    return {"configs": [proto.raised_config(one) for one in given.get("configs", [])]}


def _lowered_configs(given: Json) -> Json:
    return {"configs": [proto.lowered_config(one) for one in given.get("configs", [])]}


_RAISED: dict[Yields, Callable[[Any], Any]] = {
    "event": proto.raised_event,
    "task": proto.raised_task,
    "config": proto.raised_config,
    "configs": _raised_configs,
    "card": card.raised,
}
_LOWERED: dict[Yields, Callable[[Any], Any]] = {
    "event": proto.lowered_event,
    "task": proto.lowered_task,
    "config": proto.lowered_config,
    "configs": _lowered_configs,
    "card": card.lowered,
}
