"""A2A 1.0 over HTTP+JSON: parameters in path, query and body, results bare, errors as google.rpc has them."""

from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Raw, Struct

from agent_gateway.bindings import Answer, Failure, Params, Request, Written, errors
from agent_gateway.call import Call
from shared import sse
from shared.errors import UpstreamBroken

KIND = "application/a2a+json"
_PATHS = {
    "SendMessage": ("POST", "/message:send"),
    "SendStreamingMessage": ("POST", "/message:stream"),
    "GetTask": ("GET", "/tasks/{id}"),
    "ListTasks": ("GET", "/tasks"),
    "CancelTask": ("POST", "/tasks/{id}:cancel"),
    "SubscribeToTask": ("POST", "/tasks/{id}:subscribe"),
    "CreateTaskPushNotificationConfig": ("POST", "/tasks/{taskId}/pushNotificationConfigs"),
    "GetTaskPushNotificationConfig": ("GET", "/tasks/{taskId}/pushNotificationConfigs/{id}"),
    "ListTaskPushNotificationConfigs": ("GET", "/tasks/{taskId}/pushNotificationConfigs"),
    "DeleteTaskPushNotificationConfig": ("DELETE", "/tasks/{taskId}/pushNotificationConfigs/{id}"),
    "GetExtendedAgentCard": ("GET", "/extendedAgentCard"),
}


class _Failed(Struct):
    error: Raw = Raw()


_FAILED = msgspec.json.Decoder(_Failed)


class Rest:
    def request(self, call: Call, params: Params, url: str) -> Request:
        tenant = _text(params, "tenant")
        prefix = f"/{quote(tenant, safe='')}" if tenant else ""
        verb, path, rest = placed(call, params)
        body = msgspec.json.encode(rest) if verb == "POST" and call.method.name != "SubscribeToTask" else b""
        query = _query(rest) if verb == "GET" else ""
        return Request(method=verb, url=f"{url.rstrip('/')}{prefix}{path}{query}", body=body)

    def answer(self, call: Call, body: bytes, status: int = 200) -> Answer:
        failure = failed(body, status)
        if failure is not None:
            return Answer(failure=failure, body=body, wire="HTTP+JSON/1.0")
        return Answer(result=Raw(body or b"{}"), body=body, wire="HTTP+JSON/1.0")

    def whole(self, call: Call, answer: Answer) -> Written:
        if answer.failure is not None:
            status, body = errors.to_status(answer.failure)
            return Written(status=status, kind=KIND, body=body)
        return Written(status=200, kind=KIND, body=bytes(answer.result))

    def event(self, call: Call, answer: Answer) -> bytes:
        if answer.failure is not None:
            return sse.encode(errors.to_status(answer.failure)[1], "error")
        return sse.encode(bytes(answer.result))


def placed(call: Call, params: Params) -> tuple[str, str, Params]:
    """Verb, path, and what of the parameters is not in the path."""
    verb, template = _PATHS[call.method.name]
    named = [name for name in ("id", "taskId") if "{" + name + "}" in template]
    path = template.format(**{name: quote(_text(params, name), safe="") for name in named})
    left_out = {"tenant", *named}
    return verb, path, {name: value for name, value in params.items() if name not in left_out}


def failed(body: bytes, status: int) -> Failure | None:
    """The failure that an answer, or an event of a stream, is. Raises UpstreamBroken where it is nothing."""
    if status >= 400:
        return errors.from_status(body, status)
    try:
        error = _FAILED.decode(body or b"{}").error
    except (msgspec.DecodeError, RecursionError) as problem:
        raise UpstreamBroken("the agent's answer is not JSON", cause=problem) from problem
    return errors.from_status(body, 500) if bytes(error)[:1] == b"{" else None


def _query(params: Params) -> str:
    given: dict[str, Any] = {name: msgspec.json.decode(value) for name, value in params.items()}
    sent = {name: _spelt(value) for name, value in given.items() if isinstance(value, str | int)}
    return f"?{urlencode(sent)}" if sent else ""


def _spelt(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(params: Params, name: str) -> str:
    value = msgspec.json.decode(params[name]) if name in params else ""
    return value if isinstance(value, str) else ""
