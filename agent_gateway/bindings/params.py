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
_SKILL_LENGTH = 128


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
    _refuse_other_spelling(params, "params")
    if not method.delegates:
        task = _text(params, "id", "params")
        if not task:
            raise BadRequest(f"{method.name} needs params.id, a task's id", code=jsonrpc.INVALID_PARAMS)
        return Names(task=_id(task))
    return _of_message(method, params)


def _of_message(method: Method, params: dict[str, Raw]) -> Names:
    raw = params.get("message")
    if raw is None:
        raise BadRequest(f"{method.name} needs params.message", code=jsonrpc.INVALID_PARAMS)
    try:
        message = _MESSAGE.decode(raw)
    except msgspec.DecodeError as error:
        raise BadRequest(f"params.message: {error}", code=jsonrpc.INVALID_PARAMS, cause=error) from error
    _refuse_other_spelling(_object(params, "message"), "params.message")
    _refuse_push(_object(params, "configuration"))
    return Names(
        task=_id(message.taskId or ""),
        context=_id(message.contextId or ""),
        references=tuple(_id(task) for task in message.referenceTaskIds or ()),
        skill=_skill(message.metadata or {}) or _skill(_object(params, "metadata")),
    )


def _refuse_other_spelling(members: dict[str, Raw], where: str) -> None:
    for name in members:
        if "_" in name:
            raise BadRequest(
                f"{where}.{name[:60]}: fields are written in lowerCamelCase here", code=jsonrpc.INVALID_PARAMS
            )


def _refuse_push(configuration: dict[str, Raw]) -> None:
    """A webhook would be called by the agent itself, past everything that is checked and recorded here."""
    for name, value in configuration.items():
        if "push" in name.lower() and bytes(value) != b"null":
            raise BadRequest("push notifications are not offered here", code=a2a.PUSH_NOT_SUPPORTED)


def _object(params: dict[str, Raw], name: str) -> dict[str, Raw]:
    try:
        return _OBJECT.decode(bytes(params.get(name, jsonrpc.NULL))) or {}
    except msgspec.DecodeError as error:
        raise BadRequest(
            f"params.{name} must be an object", code=jsonrpc.INVALID_PARAMS, cause=error
        ) from error


def _text(members: dict[str, Raw], name: str, where: str) -> str:
    try:
        return _TEXT.decode(bytes(members.get(name, jsonrpc.NULL))) or ""
    except msgspec.DecodeError as error:
        raise BadRequest(
            f"{where}.{name} must be a string", code=jsonrpc.INVALID_PARAMS, cause=error
        ) from error


def _id(value: str) -> str:
    """An id that could be one of ours. A longer one is none that we have ever seen."""
    if len(value) > ID_LENGTH or not value.isprintable():
        raise NotFound("there is no such task", code=a2a.TASK_NOT_FOUND)
    return value


def _skill(metadata: dict[str, Raw]) -> str:
    for name in ("skill", "skillId"):
        if name in metadata and bytes(metadata[name])[:1] == b'"':
            return _text(metadata, name, "metadata")[:_SKILL_LENGTH]
    return ""
