"""The ids and hints in the parameters of an A2A request, read strictly: what we check must be what the
agent reads.

JSON for Protocol Buffers has a second spelling (`task_id`) for every field. Only the first one is taken
here, so that no id slips past under its other name.
"""

import msgspec
from msgspec import Raw, Struct

from agent_gateway.call import Method, Names
from shared import jsonrpc
from shared.dialects import a2a
from shared.errors import BadRequest, NotFound

ID_LENGTH = 256
WEBHOOK = "taskPushNotificationConfig"
_SKILL_LENGTH = 128
# Each one is looked up: a message must not be able to ask for thousands of them.
_MOST_REFERENCES, _MOST_PARTS = 64, 1_000
_OF_A_TASK = {
    "CreateTaskPushNotificationConfig": "taskId",
    "GetTaskPushNotificationConfig": "taskId",
    "ListTaskPushNotificationConfigs": "taskId",
    "DeleteTaskPushNotificationConfig": "taskId",
    "GetTask": "id",
    "CancelTask": "id",
    "SubscribeToTask": "id",
}


class _Message(Struct):
    parts: list[Raw]
    taskId: str | None = None
    contextId: str | None = None
    referenceTaskIds: list[str] | None = None
    metadata: dict[str, Raw] | None = None


_MESSAGE = msgspec.json.Decoder(_Message)
_OBJECT = msgspec.json.Decoder(dict[str, Raw] | None)
_TEXT = msgspec.json.Decoder(str | None)


def names_of(method: Method, params: dict[str, Raw]) -> Names:
    """What `params` of a request for `method` name. Raises BadRequest, NotFound."""
    refuse_other_spelling(params, "params")
    if method.delegates:
        return _of_message(method, params)
    member = _OF_A_TASK.get(method.name)
    if member is None:
        return Names()
    task = text(params, member)
    if not task:
        raise BadRequest(f"{method.name} needs params.{member}, a task's id", code=jsonrpc.INVALID_PARAMS)
    return Names(task=_id(task))


def _of_message(method: Method, params: dict[str, Raw]) -> Names:
    raw = params.get("message")
    if raw is None:
        raise BadRequest(f"{method.name} needs params.message", code=jsonrpc.INVALID_PARAMS)
    try:
        message = _MESSAGE.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"params.message: {error}", code=jsonrpc.INVALID_PARAMS, cause=error) from error
    refuse_other_spelling(members(params, "message"), "params.message")
    refuse_other_spelling(members(params, "configuration"), "params.configuration")
    _refuse_hidden_webhook(params)
    _refuse_hidden_webhook(members(params, "configuration"))
    references = message.referenceTaskIds or ()
    _refuse_many(len(message.parts), _MOST_PARTS, "parts")
    _refuse_many(len(references), _MOST_REFERENCES, "referenceTaskIds")
    return Names(
        task=_id(message.taskId or ""),
        context=_id(message.contextId or ""),
        references=tuple(_id(task) for task in references),
        skill=_skill(message.metadata or {}) or _skill(members(params, "metadata")),
    )


def refuse_other_spelling(found: dict[str, Raw], where: str) -> None:
    for name in found:
        if "_" in name:
            raise BadRequest(
                f"{where}.{name[:60]}: fields are written in lowerCamelCase here", code=jsonrpc.INVALID_PARAMS
            )


def members(params: dict[str, Raw], name: str) -> dict[str, Raw]:
    """The object that `params` hold under `name`; empty where there is none. Raises BadRequest."""
    try:
        return _OBJECT.decode(bytes(params.get(name, jsonrpc.NULL))) or {}
    except msgspec.DecodeError as error:
        raise BadRequest(
            f"params.{name} must be an object", code=jsonrpc.INVALID_PARAMS, cause=error
        ) from error


def text(found: dict[str, Raw], name: str, where: str = "params") -> str:
    """The string under `name`, "" where there is none. Raises BadRequest."""
    try:
        return _TEXT.decode(bytes(found.get(name, jsonrpc.NULL))) or ""
    except msgspec.DecodeError as error:
        raise BadRequest(
            f"{where}.{name} must be a string", code=jsonrpc.INVALID_PARAMS, cause=error
        ) from error


def _refuse_hidden_webhook(found: dict[str, Raw]) -> None:
    """A webhook under a name that another version has would be called by the agent itself, past everything
    that is checked and recorded here.
    """
    for name, value in found.items():
        if "push" in name.lower() and name != WEBHOOK and bytes(value) != b"null":
            raise BadRequest(
                f"a push notification config stands in configuration.{WEBHOOK}", code=a2a.PUSH_NOT_SUPPORTED
            )


def _refuse_many(count: int, most: int, what: str) -> None:
    if count > most:
        raise BadRequest(f"params.message.{what}: {most} are allowed at most", code=jsonrpc.INVALID_PARAMS)


def _id(value: str) -> str:
    """An id that could be one of ours. A longer one is none that we have ever seen."""
    if len(value) > ID_LENGTH or not value.isprintable():
        raise NotFound("there is no such task", code=a2a.TASK_NOT_FOUND)
    return value


def _skill(metadata: dict[str, Raw]) -> str:
    for name in ("skill", "skillId"):
        if name in metadata and bytes(metadata[name])[:1] == b'"':
            return text(metadata, name, "metadata")[:_SKILL_LENGTH]
    return ""
