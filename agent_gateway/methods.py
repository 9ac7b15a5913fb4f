"""The operations of A2A 1.0, and how 0.3 called the same ones.

Source: https://a2a-protocol.org/latest/specification/ (JSON-RPC binding).
"""

from agent_gateway.call import Method
from shared import jsonrpc
from shared.errors import BadRequest

METHODS = {
    method.name: method
    for method in (
        Method("SendMessage", "invoke", delegates=True),
        Method("SendStreamingMessage", "invoke", delegates=True, streams=True),
        Method("GetTask", "read", yields="task"),
        Method("ListTasks", "read", yields="tasks"),
        Method("CancelTask", "cancel", yields="task"),
        Method("SubscribeToTask", "read", streams=True),
        Method("CreateTaskPushNotificationConfig", "push", yields="config"),
        Method("GetTaskPushNotificationConfig", "push", yields="config"),
        Method("ListTaskPushNotificationConfigs", "push", yields="configs"),
        Method("DeleteTaskPushNotificationConfig", "push", yields="nothing"),
        Method("GetExtendedAgentCard", "read", yields="card"),
    )
}
EARLIER = {
    "message/send": "SendMessage",
    "message/stream": "SendStreamingMessage",
    "tasks/get": "GetTask",
    "tasks/cancel": "CancelTask",
    "tasks/resubscribe": "SubscribeToTask",
    "tasks/pushNotificationConfig/set": "CreateTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/get": "GetTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/list": "ListTaskPushNotificationConfigs",
    "tasks/pushNotificationConfig/delete": "DeleteTaskPushNotificationConfig",
    "agent/getAuthenticatedExtendedCard": "GetExtendedAgentCard",
}


def known(name: str) -> bool:
    """Whether A2A 1.0 has an operation of this name."""
    return name in METHODS


def earlier(name: str) -> bool:
    """Whether this is how A2A 0.3 names its operations."""
    return name.startswith(("message/", "tasks/", "agent/"))


def method_of(name: str) -> Method:
    """The operation that 1.0 or 0.3 calls `name`. Raises BadRequest (-32601)."""
    found = METHODS.get(EARLIER.get(name, name))
    if found is not None:
        return found
    offered = ", ".join(EARLIER if earlier(name) else METHODS)
    raise BadRequest(
        f"A2A has no operation {name[:100]!r}: send one of {offered}", code=jsonrpc.METHOD_NOT_FOUND
    )
