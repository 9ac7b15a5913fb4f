"""HTTP+JSON: which method and path is which operation, and which parameters stand in path and query."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

import msgspec
from msgspec import Raw, Struct

from agent_gateway.bindings import Params
from agent_gateway.call import Method
from agent_gateway.methods import METHODS
from shared import jsonrpc
from shared.errors import BadRequest, MethodNotAllowed, NotFound

_CONFIGS = r"/tasks/(?P<task>[^/]+)/pushNotificationConfigs"
_TABLE = [
    ("POST", r"/message:send", "SendMessage"),
    ("POST", r"/message:stream", "SendStreamingMessage"),
    ("GET", r"/tasks", "ListTasks"),
    ("POST", r"/tasks/(?P<task>[^/]+):cancel", "CancelTask"),
    ("GET", r"/tasks/(?P<task>[^/]+):subscribe", "SubscribeToTask"),
    ("POST", r"/tasks/(?P<task>[^/]+):subscribe", "SubscribeToTask"),
    ("GET", r"/tasks/(?P<task>[^/:]+)", "GetTask"),
    ("POST", _CONFIGS, "CreateTaskPushNotificationConfig"),
    ("GET", _CONFIGS, "ListTaskPushNotificationConfigs"),
    ("GET", _CONFIGS + r"/(?P<config>[^/]+)", "GetTaskPushNotificationConfig"),
    ("DELETE", _CONFIGS + r"/(?P<config>[^/]+)", "DeleteTaskPushNotificationConfig"),
    ("GET", r"/extendedAgentCard", "GetExtendedAgentCard"),
    ("GET", r"/card", "GetExtendedAgentCard"),
]
# Before the operation 0.3 has `/v1`, and clients of agents with many tenants name theirs. We have none.
_PREFIX = r"(?:/v1)?(?:/(?!tasks\b|message:|extendedAgentCard|card)[^/]+)?"
_ROUTES = [(verb, re.compile(_PREFIX + pattern), METHODS[name]) for verb, pattern, name in _TABLE]
_INTEGERS, _FLAGS = frozenset(("historyLength", "pageSize")), frozenset(("includeArtifacts",))
_TEXTS = frozenset(("contextId", "status", "pageToken", "statusTimestampAfter"))


class Asked(Struct, frozen=True, kw_only=True):
    """The operation that a path stands for, and the ids in it."""

    method: Method
    task: str = ""
    config: str = ""


def read(verb: str, path: str) -> Asked:
    """Raises NotFound, MethodNotAllowed."""
    allowed = []
    for wanted, pattern, method in _ROUTES:
        found = pattern.fullmatch(path)
        if found is None:
            continue
        if wanted == verb:
            return Asked(method=method, **found.groupdict())
        allowed.append(wanted)
    if allowed:
        raise MethodNotAllowed(f"{path[:200]} takes {' and '.join(allowed)}")
    raise NotFound(f"A2A has no path {path[:200]}", code=jsonrpc.METHOD_NOT_FOUND)


def params(asked: Asked, given: Params, query: str) -> Params:
    """The parameters that JSON-RPC has in one object. What the path says counts."""
    found = {name: value for name, value in given.items() if name != "tenant"}
    found |= dict(_of_query(query))
    name = asked.method.name
    if name in ("GetTask", "CancelTask", "SubscribeToTask"):
        found["id"] = _json(asked.task)
    elif asked.task:
        found["taskId"] = _json(asked.task)
        if asked.config:
            found["id"] = _json(asked.config)
    return found


def _of_query(query: str) -> Iterator[tuple[str, Raw]]:
    seen: set[str] = set()
    for name, value in parse_qsl(query, max_num_fields=50):
        if name in seen:
            raise BadRequest(f"{name[:60]} stands more than once in the query", code=jsonrpc.INVALID_PARAMS)
        seen.add(name)
        if name in _TEXTS:
            yield name, _json(value)
        elif name in _INTEGERS:
            if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
                raise BadRequest(f"{name} must be a whole number", code=jsonrpc.INVALID_PARAMS)
            yield name, _json(int(value))
        elif name in _FLAGS:
            yield name, _json(value.lower() == "true")


def _json(value: str | int) -> Raw:
    return Raw(msgspec.json.encode(value))
