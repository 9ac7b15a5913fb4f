"""Where the texts are in the messages, tasks and events of A2A 1.0.

Everything is looked at but what names things (ids, states, types, addresses), as long as that is what stands
there, and what nobody reads as words (files without text): such a file is shown with its type and its size.
"""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from shared.guards.section import Who
from shared.guards.texts import See, attached, elements, leaves, members, naming
from shared.guards.verdict import Attachment, Said

Json = dict[str, Any]
_USER = ("ROLE_USER", 1)
# Members that name something, each where it stands.
_OF_MESSAGE = frozenset(("messageId", "contextId", "taskId", "role", "referenceTaskIds", "extensions"))
_OF_TASK = frozenset(("id", "contextId", "taskId", "append", "lastChunk"))
_OF_ARTIFACT = frozenset(("artifactId", "extensions"))
_OF_STATUS = frozenset(("state", "timestamp"))
_OF_PART = frozenset(("url", "mediaType"))


def walk_params(params: Json, see: See) -> Json:
    """The message, and what is said beside it, that somebody sends an agent."""
    groups = count()

    def visit(name: str, value: Any) -> Any:
        if name == "message":
            return _message(value, "user", see, groups)
        return leaves(value, Said("", "user", -1), see) if name == "metadata" else value

    return members(params, visit)


def walk_event(event: Json, see: See) -> Json:
    """What an agent answers a message with, or one event of its stream."""
    groups = count()

    def visit(name: str, value: Any) -> Any:
        if name == "message":
            return _message(value, "assistant", see, groups)
        return _task(value, see, groups)

    return members(event, visit)


def walk_task(task: Json, see: See) -> Json:
    return members(task, _of_task(see, count()))


def walk_tasks(listed: Json, see: See) -> Json:
    """A page of tasks."""
    groups = count()

    def visit(name: str, value: Any) -> Any:
        if name == "tasks" and isinstance(value, list):
            return elements(value, lambda task: _task(task, see, groups))
        return value

    return members(listed, visit)


def walk_failure(failure: Json, see: See) -> Json:
    """What an agent says of its own failure."""
    return members(failure, lambda name, value: leaves(value, Said("", "assistant"), see))


def _task(value: Any, see: See, groups: Iterator[int]) -> Any:
    """A task, or an update of its status or of an artifact."""
    if not isinstance(value, dict):
        return leaves(value, Said("", "assistant", next(groups)), see)
    return members(value, _of_task(see, groups))


def _of_task(see: See, groups: Iterator[int]) -> Callable[[str, Any], Any]:
    def visit(name: str, value: Any) -> Any:
        if name in _OF_TASK:
            return naming(value, Said("", "assistant"), see)
        if name == "status" and isinstance(value, dict):
            return members(value, lambda inner, item: _of_status(inner, item, see, groups))
        if name in ("artifacts", "history") and isinstance(value, list):
            one = _artifact if name == "artifacts" else _message_of_task
            return elements(value, lambda item: one(item, see, groups))
        if name == "artifact":
            return _artifact(value, see, groups)
        return leaves(value, Said("", "assistant", next(groups)), see)

    return visit


def _of_status(name: str, value: Any, see: See, groups: Iterator[int]) -> Any:
    if name == "message":
        return _message(value, "assistant", see, groups)
    here = Said("", "assistant", next(groups))
    return naming(value, here, see) if name in _OF_STATUS else leaves(value, here, see)


def _message_of_task(value: Any, see: See, groups: Iterator[int]) -> Any:
    by_user = isinstance(value, dict) and value.get("role") in _USER
    return _message(value, "user" if by_user else "assistant", see, groups)


def _message(value: Any, who: Who, see: See, groups: Iterator[int]) -> Any:
    return _with_parts(value, _OF_MESSAGE, Said("", who, next(groups)), see)


def _artifact(value: Any, see: See, groups: Iterator[int]) -> Any:
    return _with_parts(value, _OF_ARTIFACT, Said("", "assistant", next(groups)), see)


def _with_parts(value: Any, names: frozenset[str], here: Said, see: See) -> Any:
    if not isinstance(value, dict):
        return leaves(value, here, see)

    def visit(name: str, item: Any) -> Any:
        if name in names:
            return naming(item, here, see)
        if name == "parts" and isinstance(item, list):
            return elements(item, lambda part: walk_part(part, here, see))
        return leaves(item, here, see)

    return members(value, visit)


def walk_part(part: Any, here: Said, see: See) -> Any:
    if not isinstance(part, dict):
        return leaves(part, here, see)
    given = part.get("mediaType")
    kind = given if isinstance(given, str) else ""
    if "url" in part:
        see(Said("", here.who, here.group, file=Attachment(kind, linked=True)))

    def visit(name: str, value: Any) -> Any:
        if name == "raw" and isinstance(value, str):
            return attached(value, kind, here, see)
        return naming(value, here, see) if name in _OF_PART else leaves(value, here, see)

    return members(part, visit)
