"""Parameters and results of A2A 0.3's operations, raised to 1.0 and lowered from it."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from agent_gateway.bindings import Params
from agent_gateway.bindings.earlier import card, configs, lowered, raised
from agent_gateway.bindings.earlier.raised import Json, kept
from agent_gateway.call import Method, Yields
from shared import jsonrpc
from shared.errors import BadRequest, UpstreamBroken

_WRONG = (KeyError, TypeError, ValueError, AttributeError, RecursionError)
_WORDS = {"SendMessage", "SendStreamingMessage"}
_OF_CONFIG = {
    "GetTaskPushNotificationConfig",
    "ListTaskPushNotificationConfigs",
    "DeleteTaskPushNotificationConfig",
}


def raised_params(method: Method, params: Params) -> Params:
    """A client's parameters. Raises BadRequest (-32602)."""
    try:
        given = _decoded(params)
        found = _raised_params(method.name, given)
    except _WRONG as error:
        raise BadRequest(
            f"params are not those of A2A 0.3 ({type(error).__name__}: {str(error)[:100]})",
            code=jsonrpc.INVALID_PARAMS,
            cause=error,
        ) from error
    return encoded(found)


def lowered_params(method: Method, params: Params) -> Params:
    """What an agent of 0.3 is sent."""
    given = _decoded(params)
    name = method.name
    if name in _WORDS:
        found = kept(given, "metadata") | {"message": lowered.message(given["message"])}
        if given.get("configuration"):
            found["configuration"] = _lowered_configuration(given["configuration"])
    elif name == "CreateTaskPushNotificationConfig":
        found = configs.lowered_of_task(given)
    elif name in _OF_CONFIG:
        found = {"id": given["taskId"]}
        if "id" in given:
            found["pushNotificationConfigId"] = given["id"]
    else:
        found = kept(given, "id", "historyLength", "metadata")
    return encoded(found)


def raised_result(method: Method, result: Raw) -> Raw:
    """An agent's result. Raises UpstreamBroken."""
    yields = method.yields
    if yields == "nothing":
        return Raw(b"{}")
    try:
        return Raw(msgspec.json.encode(_RAISED[yields](msgspec.json.decode(result))))
    except _WRONG as error:
        raise UpstreamBroken("the agent's answer is not what A2A 0.3 prescribes", cause=error) from error


def lowered_result(method: Method, result: Raw) -> Raw:
    """What a client of 0.3 gets. Raises UpstreamBroken."""
    yields = method.yields
    if yields == "nothing":
        return Raw(b"null")
    try:
        return Raw(msgspec.json.encode(_LOWERED[yields](msgspec.json.decode(result))))
    except _WRONG as error:
        raise UpstreamBroken("the agent's answer is not what A2A prescribes", cause=error) from error


def encoded(members: Json) -> Params:
    return {name: Raw(msgspec.json.encode(value)) for name, value in members.items()}


def _raised_params(name: str, given: Json) -> Json:
    if name in _WORDS:
        found = kept(given, "metadata") | {"message": raised.message(given["message"])}
        if given.get("configuration"):
            found["configuration"] = _raised_configuration(given["configuration"])
        return found
    if name == "CreateTaskPushNotificationConfig":
        return configs.raised_of_task(given)
    if name in _OF_CONFIG:
        config = given.get("pushNotificationConfigId")
        return {"taskId": given["id"]} | ({"id": config} if config is not None else {})
    found = kept(given, "id", "metadata")
    # In 0.3 a length of 0 is no limit; 1.0 would send no history at all.
    return found | ({"historyLength": given["historyLength"]} if given.get("historyLength") else {})


def _raised_configuration(given: Json) -> Json:
    found = kept(given, "acceptedOutputModes")
    if given.get("historyLength"):
        found["historyLength"] = given["historyLength"]
    if given.get("blocking") is not None:
        found["returnImmediately"] = not given["blocking"]
    if given.get("pushNotificationConfig"):
        found["taskPushNotificationConfig"] = configs.raised(given["pushNotificationConfig"])
    return found


def _lowered_configuration(given: Json) -> Json:
    found = kept(given, "acceptedOutputModes", "historyLength")
    found["blocking"] = not given.get("returnImmediately", False)
    if given.get("taskPushNotificationConfig"):
        found["pushNotificationConfig"] = configs.lowered(given["taskPushNotificationConfig"])
    return found


def _raised_configs(given: Any) -> Json:
    return {"configs": [configs.raised_of_task(one) for one in given]}


def _lowered_configs(given: Json) -> list[Json]:
    return [configs.lowered_of_task(one) for one in given.get("configs", [])]


_RAISED: dict[Yields, Callable[[Any], Any]] = {
    "event": raised.event,
    "task": raised.task,
    "config": configs.raised_of_task,
    "configs": _raised_configs,
    "card": card.raised,
}
_LOWERED: dict[Yields, Callable[[Any], Any]] = {
    "event": lowered.event,
    "task": lowered.task,
    "config": configs.lowered_of_task,
    "configs": _lowered_configs,
    "card": card.lowered,
}


def _decoded(params: Params) -> Json:
    return {name: msgspec.json.decode(value) for name, value in params.items()}
