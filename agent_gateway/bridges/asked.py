"""A message as a bridge reads it: its words, files and data."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from agent_gateway.call import Call
from shared import jsonrpc
from shared.bridges import Bridge, ToolsBridge
from shared.dialects import a2a
from shared.errors import BadRequest

_TOOL, _ARGUMENTS = "tool", "arguments"


class InPart(Struct):
    """Exactly one of `text`, `raw` (base64), `url` and `data`."""

    text: str | None = None
    raw: str = ""
    url: str = ""
    data: Any = None
    mediaType: str = ""


class Asked(Struct):
    """`taskId` is a task that had asked for more."""

    parts: list[InPart]
    contextId: str = ""
    taskId: str = ""

    @property
    def text(self) -> str:
        return "\n".join(part.text for part in self.parts if part.text)


class ToolCall(Struct, frozen=True):
    tool: str
    arguments: dict[str, Any] = {}


def asked_of(message: Raw) -> Asked:
    """Raises BadRequest."""
    try:
        return msgspec.json.decode(message, type=Asked)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"params.message: {error}", code=jsonrpc.INVALID_PARAMS, cause=error) from error


def tool_call(asked: Asked) -> ToolCall | None:
    """The call that a data part `{"tool": …, "arguments": {…}}` asks for. Raises BadRequest where it is not
    clear which one that is.
    """
    found = [part.data for part in asked.parts if isinstance(part.data, dict) and _TOOL in part.data]
    if len(found) > 1:
        raise BadRequest("a message calls one tool: send one data part", code=jsonrpc.INVALID_PARAMS)
    if not found:
        return None
    unknown = set(found[0]) - {_TOOL, _ARGUMENTS}
    if unknown:
        raise BadRequest(
            f"a tool is called with {_TOOL} and {_ARGUMENTS}, not with {sorted(unknown)[0][:60]!r}",
            code=jsonrpc.INVALID_PARAMS,
        )
    try:
        return msgspec.convert(found[0], ToolCall)
    except msgspec.ValidationError as error:
        raise BadRequest(f"params.message.parts: {error}", code=jsonrpc.INVALID_PARAMS) from error


def named(bridge: Bridge | None, call: Call) -> Call:
    """`call` with the skill that it is really about: that of a tool is the tool, whatever the message calls
    it. Policy is asked about this one. Raises BadRequest.
    """
    if not isinstance(bridge, ToolsBridge) or not call.method.delegates:
        return call
    wanted = tool_call(asked_of(call.params["message"]))
    if wanted is None:
        return call
    if call.names.skill not in ("", wanted.tool):
        raise BadRequest(
            f"the message is about {call.names.skill[:100]!r} and calls {wanted.tool[:100]!r}",
            code=jsonrpc.INVALID_PARAMS,
        )
    return msgspec.structs.replace(call, names=msgspec.structs.replace(call.names, skill=wanted.tool))


def content_not_supported(what: str) -> BadRequest:
    return BadRequest(what, code=a2a.CONTENT_TYPE_NOT_SUPPORTED)
