"""What A2A 0.3 has in its messages, tasks and events, in the form of 1.0.

Raises ValueError, KeyError, TypeError and AttributeError for what is not of 0.3's form.
"""

from typing import Any

Json = dict[str, Any]
_ROLES = {"user": "ROLE_USER", "agent": "ROLE_AGENT"}
_STATES = (
    *("submitted", "working", "completed", "failed", "canceled"),
    *("input-required", "rejected", "auth-required"),
)
STATES = {state: "TASK_STATE_" + state.replace("-", "_").upper() for state in _STATES} | {
    "unknown": "TASK_STATE_UNSPECIFIED"
}
# DataPart takes an object only; this is how what was another value is marked (a2a-sdk does the same).
WRAPPED = "data_part_compat"


def part(given: Json) -> Json:
    kind, found = given["kind"], {}
    if kind == "text":
        found["text"] = given["text"]
    elif kind == "file":
        found |= _file(given["file"])
    elif kind == "data":
        wrapped = bool((given.get("metadata") or {}).get(WRAPPED))
        found["data"] = given["data"]["value"] if wrapped else given["data"]
    else:
        raise ValueError(f"there is no part of the kind {str(kind)[:40]!r}")
    metadata = {name: value for name, value in (given.get("metadata") or {}).items() if name != WRAPPED}
    return found | ({"metadata": metadata} if metadata else {})


def _file(given: Json) -> Json:
    found = {"url": given["uri"]} if given.get("uri") is not None else {"raw": given["bytes"]}
    return found | renamed(given, mimeType="mediaType", name="filename")


def message(given: Json) -> Json:
    found = kept(given, "messageId", "contextId", "taskId", "metadata", "extensions", "referenceTaskIds")
    return found | {"role": _ROLES[given["role"]], "parts": [part(one) for one in given["parts"]]}


def artifact(given: Json) -> Json:
    found = kept(given, "artifactId", "name", "description", "metadata", "extensions")
    return found | {"parts": [part(one) for one in given["parts"]]}


def status(given: Json) -> Json:
    found = kept(given, "timestamp") | {"state": STATES[given["state"]]}
    return found | ({"message": message(given["message"])} if given.get("message") else {})


def task(given: Json) -> Json:
    found = kept(given, "id", "contextId", "metadata") | {"status": status(given["status"])}
    for name, one in (("artifacts", artifact), ("history", message)):
        if given.get(name):
            found[name] = [one(item) for item in given[name]]
    return found


def event(given: Json) -> Json:
    """A result of message/send, or of a stream."""
    kind = given["kind"]
    if kind == "task":
        return {"task": task(given)}
    if kind == "message":
        return {"message": message(given)}
    found = kept(given, "taskId", "contextId", "metadata")
    if kind == "status-update":
        return {"statusUpdate": found | {"status": status(given["status"])}}
    if kind == "artifact-update":
        found |= kept(given, "append", "lastChunk") | {"artifact": artifact(given["artifact"])}
        return {"artifactUpdate": found}
    raise ValueError(f"there is no event of the kind {str(kind)[:40]!r}")


def kept(given: Json, *names: str) -> Json:
    return {name: given[name] for name in names if given.get(name) is not None}


def renamed(given: Json, **names: str) -> Json:
    """The members of `given` under their new names, where they are there."""
    return {new: given[old] for old, new in names.items() if given.get(old) is not None}
