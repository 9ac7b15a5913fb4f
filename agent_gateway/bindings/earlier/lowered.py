"""What A2A 1.0 has in its messages, tasks and events, in the form of 0.3.

Raises ValueError, KeyError, TypeError and AttributeError for what is not of 1.0's form.
"""

from typing import Any

from agent_gateway.bindings.earlier.raised import STATES, WRAPPED, Json, kept, renamed

_STATES: dict[Any, str] = {later: state for state, later in STATES.items()}
# JSON for Protocol Buffers may write an enum's number.
_STATES |= dict(
    enumerate(
        (
            *("unknown", "submitted", "working", "completed", "failed"),
            *("canceled", "input-required", "rejected", "auth-required"),
        )
    )
)
_FINAL = frozenset(("completed", "failed", "canceled", "rejected"))
_USER = ("ROLE_USER", 1)


def part(given: Json) -> Json:
    metadata = dict(given.get("metadata") or {})
    if "text" in given:
        found: Json = {"kind": "text", "text": given["text"]}
    elif "url" in given or "raw" in given:
        file = {"uri": given["url"]} if "url" in given else {"bytes": given["raw"]}
        found = {"kind": "file", "file": file | renamed(given, mediaType="mimeType", filename="name")}
    elif "data" in given:
        data = given["data"]
        if not isinstance(data, dict):
            data, metadata[WRAPPED] = {"value": data}, True
        found = {"kind": "data", "data": data}
    else:
        raise ValueError("a part holds neither text nor a file nor data")
    return found | ({"metadata": metadata} if metadata else {})


def message(given: Json) -> Json:
    found = kept(given, "messageId", "contextId", "taskId", "metadata", "extensions", "referenceTaskIds")
    role = "user" if given.get("role") in _USER else "agent"
    return found | {"kind": "message", "role": role, "parts": [part(one) for one in given.get("parts", [])]}


def artifact(given: Json) -> Json:
    found = kept(given, "artifactId", "name", "description", "metadata", "extensions")
    return found | {"parts": [part(one) for one in given.get("parts", [])]}


def status(given: Json) -> Json:
    found = kept(given, "timestamp") | {"state": _STATES.get(given.get("state"), "unknown")}
    return found | ({"message": message(given["message"])} if given.get("message") else {})


def task(given: Json) -> Json:
    found: Json = {"kind": "task", "contextId": "", "status": status(given.get("status") or {})}
    found |= kept(given, "id", "contextId", "metadata")
    for name, one in (("artifacts", artifact), ("history", message)):
        if given.get(name):
            found[name] = [one(item) for item in given[name]]
    return found


def event(given: Json) -> Json:
    """A SendMessageResponse or a StreamResponse."""
    if given.get("task") is not None:
        return task(given["task"])
    if given.get("message") is not None:
        return message(given["message"])
    if given.get("statusUpdate") is not None:
        return _status_update(given["statusUpdate"])
    update = given["artifactUpdate"]
    found = {"kind": "artifact-update", "contextId": "", "artifact": artifact(update["artifact"])}
    return found | kept(update, "taskId", "contextId", "metadata", "append", "lastChunk")


def _status_update(update: Json) -> Json:
    state = status(update.get("status") or {})
    found = {"kind": "status-update", "contextId": "", "status": state, "final": state["state"] in _FINAL}
    return found | kept(update, "taskId", "contextId", "metadata")
