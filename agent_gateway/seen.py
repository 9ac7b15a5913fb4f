"""What an agent's result tells about tasks: their ids, and whether this was the last word. Everything
else stays raw.
"""

import msgspec
from msgspec import Raw, Struct

from agent_gateway.call import Method
from shared.errors import UpstreamBroken

# Names as JSON writes them, and the numbers that Protocol Buffers also allows.
_TERMINAL = {
    "TASK_STATE_COMPLETED": "completed",
    "TASK_STATE_FAILED": "failed",
    "TASK_STATE_CANCELED": "canceled",
    "TASK_STATE_REJECTED": "rejected",
    3: "completed",
    4: "failed",
    5: "canceled",
    7: "rejected",
}


class Seen(Struct, frozen=True, kw_only=True):
    """`ended` is the state in which a task has ended ("" while it goes on), or `message` for a direct
    reply.
    """

    task: str = ""
    context: str = ""
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
        if method.delegates or method.streams:
            return _of_event(_EVENT.decode(result))
        return _of_task(_TASK.decode(result))
    except msgspec.DecodeError as error:
        raise UpstreamBroken("the agent's answer is not what A2A prescribes", cause=error) from error


def _of_event(event: _Event) -> Seen:
    if event.task is not None:
        return _of_task(event.task)
    if event.message is not None:
        message = event.message
        return Seen(task=message.taskId or "", context=message.contextId or "", ended="message")
    update = event.statusUpdate or event.artifactUpdate
    if update is None:
        raise UpstreamBroken("the agent's answer holds neither a task nor a message")
    return Seen(task=update.taskId, context=update.contextId or "", ended=_ended(update.status))


def _of_task(task: _Task) -> Seen:
    return Seen(task=task.id, context=task.contextId or "", ended=_ended(task.status))


def _ended(status: _Status | None) -> str:
    return _TERMINAL.get(status.state, "") if status is not None and status.state is not None else ""
