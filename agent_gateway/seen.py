"""What an agent's result tells about tasks: their ids, and whether this was the last word. Everything
else stays raw.
"""

import msgspec
from msgspec import Raw, Struct

from agent_gateway.call import Method
from shared.errors import UpstreamBroken

# A task's states: names as JSON writes them, and the numbers that Protocol Buffers also allows.
_NAMES = ("submitted", "working", "completed", "failed", "canceled", "input_required", "rejected")
STATES: dict[str | int, str] = {
    f"TASK_STATE_{name.upper()}": name for name in (*_NAMES, "auth_required")
} | dict(enumerate((*_NAMES, "auth_required"), start=1))
_TERMINAL = frozenset(("completed", "failed", "canceled", "rejected"))


class Seen(Struct, frozen=True, kw_only=True):
    """`state` is a task's, where it is told; `ended` the one in which it has ended ("" while it goes on),
    or `message` for a direct reply.
    """

    task: str = ""
    context: str = ""
    state: str = ""
    ended: str = ""


class _Status(Struct):
    state: str | int | None = None


class _Task(Struct):
    id: str
    contextId: str | None = None
    status: _Status | None = None


class _Message(Struct):
    messageId: str | None = None
    taskId: str | None = None
    contextId: str | None = None


class _Update(Struct):
    taskId: str
    contextId: str | None = None
    status: _Status | None = None


class _Event(Struct):
    """SendMessageResponse and StreamResponse: exactly one of these is there."""

    task: _Task | None = None
    message: _Message | None = None
    statusUpdate: _Update | None = None
    artifactUpdate: _Update | None = None


_TASK = msgspec.json.Decoder(_Task)
_EVENT = msgspec.json.Decoder(_Event)


def seen_in(method: Method, result: Raw) -> Seen:
    """What `result` of a call of `method` tells. Raises UpstreamBroken when it is not of A2A's form."""
    try:
        if method.yields == "event":
            return event_seen(result)
        return _of_task(_TASK.decode(result))
    except msgspec.DecodeError as error:
        raise UpstreamBroken("the agent's answer is not what A2A prescribes", cause=error) from error


def event_seen(event: Raw | bytes) -> Seen:
    """What one event of a stream tells, or one push notification. Raises DecodeError, UpstreamBroken."""
    return _of_event(_EVENT.decode(event))


def _of_event(event: _Event) -> Seen:
    if event.task is not None:
        return _of_task(event.task)
    if event.message is not None:
        message = event.message
        return Seen(task=message.taskId or "", context=message.contextId or "", ended="message")
    update = event.statusUpdate or event.artifactUpdate
    if update is None:
        raise UpstreamBroken("the agent's answer holds neither a task nor a message")
    return _seen(update.taskId, update.contextId, update.status)


def _of_task(task: _Task) -> Seen:
    return _seen(task.id, task.contextId, task.status)


def _seen(task: str, context: str | None, status: _Status | None) -> Seen:
    told = status.state if status is not None else None
    state = STATES.get(told, "") if told is not None else ""
    return Seen(task=task, context=context or "", state=state, ended=state if state in _TERMINAL else "")
