"""A2A 0.3 as its HTTP+JSON writes it, which is Protocol Buffers' JSON and near to 1.0: from it and to it.

Clients write fields in either spelling that such JSON has; only known fields go on, in one spelling.
"""

import re
from collections.abc import Callable
from typing import Any

from agent_gateway.bindings.earlier import configs
from agent_gateway.bindings.earlier.raised import Json, kept, renamed

_MESSAGE = ("messageId", "contextId", "taskId", "role", "metadata", "extensions")
_ARTIFACT = ("artifactId", "name", "description", "metadata", "extensions")
_CANCELED = {"TASK_STATE_CANCELLED": "TASK_STATE_CANCELED", 5: "TASK_STATE_CANCELED"}
_CANCELLED = {"TASK_STATE_CANCELED": "TASK_STATE_CANCELLED"}
# What is in these is the caller's own, and none of our fields.
_OPAQUE = frozenset(("metadata", "data", "struct"))
Each = Callable[[Json], Json]


def camel(given: Any) -> Any:
    """The same with every field in lowerCamelCase. Raises ValueError where one stands there twice."""
    if isinstance(given, list):
        return [camel(item) for item in given]
    if not isinstance(given, dict):
        return given
    found = {_camel(name): value if name in _OPAQUE else camel(value) for name, value in given.items()}
    if len(found) != len(given):
        raise ValueError("a field stands there in both of its spellings")
    return found


def raised_part(given: Json) -> Json:
    found = kept(given, "text", "metadata")
    if given.get("file") is not None:
        file = given["file"]
        names = {"fileWithUri": "url", "fileWithBytes": "raw", "mimeType": "mediaType", "name": "filename"}
        found |= renamed(file, **names)
    elif given.get("data") is not None:
        found["data"] = given["data"]["data"]
    return found


def lowered_part(given: Json) -> Json:
    found = kept(given, "text", "metadata")
    if "url" in given or "raw" in given:
        names = {"url": "fileWithUri", "raw": "fileWithBytes", "mediaType": "mimeType", "filename": "name"}
        found["file"] = renamed(given, **names)
    elif "data" in given:
        data = given["data"]
        found["data"] = {"data": data if isinstance(data, dict) else {"value": data}}
    return found


def raised_message(given: Json) -> Json:
    parts = given["content"] if "content" in given else given["parts"]
    return kept(given, *_MESSAGE) | {"parts": [raised_part(part) for part in parts]}


def lowered_message(given: Json) -> Json:
    return kept(given, *_MESSAGE) | {"content": [lowered_part(part) for part in given.get("parts", [])]}


def raised_event(given: Json) -> Json:
    message = given.get("message") or given.get("msg")
    return _event(given | ({"message": message} if message else {}), _UP)


def lowered_event(given: Json) -> Json:
    found = _event(given, _DOWN)
    update = found.get("statusUpdate")
    if update is not None:
        state = str(update.get("status", {}).get("state", ""))
        update["final"] = state.endswith(("COMPLETED", "FAILED", "CANCELLED", "REJECTED"))
    return found


def raised_task(given: Json) -> Json:
    return _task(given, _UP)


def lowered_task(given: Json) -> Json:
    return _task(given, _DOWN)


def raised_config(given: Json) -> Json:
    """Of a TaskPushNotificationConfig, or of the request that sets one."""
    inner = given.get("config") or given
    task = re.search(r"tasks/([^/]+)", str(inner.get("name") or given.get("parent") or ""))
    found = configs.raised(inner["pushNotificationConfig"])
    if given.get("configId"):
        found.setdefault("id", given["configId"])
    return found | ({"taskId": task[1]} if task else {})


def lowered_config(given: Json) -> Json:
    name = f"tasks/{given.get('taskId', '')}/pushNotificationConfigs/{given.get('id', '')}"
    return {"name": name, "pushNotificationConfig": configs.lowered(given)}


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def _status(given: Json, way: "_Way") -> Json:
    found = kept(given, "state", "timestamp")
    if found.get("state") in way.states:
        found["state"] = way.states[found["state"]]
    message = given.get("message") or given.get("update")
    return found | ({"message": way.message(message)} if message else {})


def _artifact(given: Json, way: "_Way") -> Json:
    return kept(given, *_ARTIFACT) | {"parts": [way.part(part) for part in given.get("parts", [])]}


def _task(given: Json, way: "_Way") -> Json:
    found = kept(given, "id", "contextId", "metadata")
    if given.get("status"):
        found["status"] = _status(given["status"], way)
    if given.get("artifacts"):
        found["artifacts"] = [_artifact(one, way) for one in given["artifacts"]]
    if given.get("history"):
        found["history"] = [way.message(one) for one in given["history"]]
    return found


def _event(given: Json, way: "_Way") -> Json:
    if given.get("task"):
        return {"task": _task(given["task"], way)}
    if given.get("message"):
        return {"message": way.message(given["message"])}
    if given.get("statusUpdate"):
        update = given["statusUpdate"]
        found = kept(update, "taskId", "contextId", "metadata")
        return {"statusUpdate": found | {"status": _status(update.get("status") or {}, way)}}
    update = given["artifactUpdate"]
    found = kept(update, "taskId", "contextId", "metadata", "append", "lastChunk")
    return {"artifactUpdate": found | {"artifact": _artifact(update["artifact"], way)}}


class _Way:
    """One of the two directions."""

    def __init__(self, message: Each, part: Each, states: dict[Any, str]) -> None:
        self.message = message
        self.part = part
        self.states = states


_UP = _Way(raised_message, raised_part, _CANCELED)
_DOWN = _Way(lowered_message, lowered_part, _CANCELLED)
