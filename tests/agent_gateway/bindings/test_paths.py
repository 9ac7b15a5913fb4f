"""Which method and path over HTTP+JSON is which operation, with or without the prefixes that clients put
before it.
"""

import msgspec
import pytest

from agent_gateway.bindings import paths
from shared.errors import BadRequest, MethodNotAllowed, NotFound


@pytest.mark.parametrize("prefix", ["", "/v1", "/a-tenant", "/v1/a-tenant"])
@pytest.mark.parametrize(
    ("verb", "path", "operation"),
    [
        ("POST", "/message:send", "SendMessage"),
        ("POST", "/message:stream", "SendStreamingMessage"),
        ("GET", "/tasks", "ListTasks"),
        ("GET", "/tasks/t", "GetTask"),
        ("POST", "/tasks/t:cancel", "CancelTask"),
        ("GET", "/tasks/t:subscribe", "SubscribeToTask"),
        ("POST", "/tasks/t:subscribe", "SubscribeToTask"),
        ("POST", "/tasks/t/pushNotificationConfigs", "CreateTaskPushNotificationConfig"),
        ("GET", "/tasks/t/pushNotificationConfigs", "ListTaskPushNotificationConfigs"),
        ("GET", "/tasks/t/pushNotificationConfigs/c", "GetTaskPushNotificationConfig"),
        ("DELETE", "/tasks/t/pushNotificationConfigs/c", "DeleteTaskPushNotificationConfig"),
        ("GET", "/extendedAgentCard", "GetExtendedAgentCard"),
    ],
)
def test_every_operation_is_found(prefix: str, verb: str, path: str, operation: str) -> None:
    asked = paths.read(verb, prefix + path)
    assert asked.method.name == operation
    assert asked.task in ("", "t")
    with pytest.raises(MethodNotAllowed):
        paths.read("PATCH", prefix + path)


@pytest.mark.parametrize("path", ["/", "/message", "/tasks/", "/tasks/t/x", "/a/b/tasks", "/tasks/t:think"])
def test_anything_else_is_not(path: str) -> None:
    with pytest.raises(NotFound) as raised:
        paths.read("GET", path)
    assert raised.value.code == -32601


def test_the_path_counts_and_the_query_is_read_by_type() -> None:
    asked = paths.read("GET", "/tasks/mine")
    found = paths.params(asked, {}, "historyLength=3&unknown=1&id=theirs")
    assert msgspec.json.encode(found) == b'{"historyLength":3,"id":"mine"}'
    listed = paths.params(paths.read("GET", "/tasks"), {}, "pageSize=5&includeArtifacts=true&status=X")
    assert msgspec.json.encode(listed) == b'{"pageSize":5,"includeArtifacts":true,"status":"X"}'


@pytest.mark.parametrize("query", ["pageSize=x", "pageSize=-1", "pageSize=1e3", "status=a&status=b"])
def test_a_query_that_can_be_read_in_two_ways_is_refused(query: str) -> None:
    with pytest.raises(BadRequest):
        paths.params(paths.read("GET", "/tasks"), {}, query)
