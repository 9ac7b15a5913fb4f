"""The operations of A2A 1.0: which are served, and what the others are answered.

Source: https://a2a-protocol.org/latest/specification/ (JSON-RPC binding).
"""

from agent_gateway.call import Method
from shared import jsonrpc
from shared.dialects import a2a
from shared.errors import BadRequest

METHODS = {
    method.name: method
    for method in (
        Method("SendMessage", "invoke", delegates=True),
        Method("SendStreamingMessage", "invoke", delegates=True, streams=True),
        Method("GetTask", "read"),
        Method("CancelTask", "cancel"),
        Method("SubscribeToTask", "read", streams=True),
    )
}
_NOT_OFFERED = {
    "ListTasks": a2a.UNSUPPORTED_OPERATION,
    "CreateTaskPushNotificationConfig": a2a.PUSH_NOT_SUPPORTED,
    "GetTaskPushNotificationConfig": a2a.PUSH_NOT_SUPPORTED,
    "ListTaskPushNotificationConfigs": a2a.PUSH_NOT_SUPPORTED,
    "DeleteTaskPushNotificationConfig": a2a.PUSH_NOT_SUPPORTED,
    "GetExtendedAgentCard": a2a.EXTENDED_CARD_NOT_CONFIGURED,
}
# The same operations as 0.3 called them, so that its clients learn what is wrong.
_EARLIER = ("message/", "tasks/", "agent/")


def known(name: str) -> bool:
    """Whether A2A 1.0 has an operation of this name, served here or not."""
    return name in METHODS or name in _NOT_OFFERED


def earlier(name: str) -> bool:
    """Whether this is how A2A 0.3 names its operations."""
    return name.startswith(_EARLIER)


def method_of(name: str) -> Method:
    """The operation called `name`. Raises BadRequest with the code that A2A has for its absence."""
    found = METHODS.get(name)
    if found is not None:
        return found
    if name in _NOT_OFFERED:
        raise BadRequest(f"{name} is not offered here", code=_NOT_OFFERED[name])
    offered = ", ".join(METHODS)
    raise BadRequest(
        f"A2A has no operation {name[:100]!r}: send one of {offered}", code=jsonrpc.METHOD_NOT_FOUND
    )
