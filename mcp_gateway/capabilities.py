"""What clients can be asked: said once in the session era, with every request in the stateless one."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from shared import jsonrpc
from shared.errors import BadRequest
from shared.jsonrpc import Envelope

NONE = Raw(b"{}")
# Each of its own kinds means a session of its own with a server: nobody may make them up at will.
_LONGEST = 4096


class _Asked(Struct):
    mode: str = "form"
    tools: Raw = Raw()
    toolChoice: Raw = Raw()


def declared(raw: Raw) -> Raw:
    """`raw` in the one form that equal capabilities have. Raises BadRequest."""
    if bytes(raw) in (b"", b"{}"):
        return NONE
    try:
        found = msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise BadRequest("capabilities must be an object", code=jsonrpc.INVALID_PARAMS) from None
    canonical = msgspec.json.encode(found, order="deterministic")
    if len(canonical) > _LONGEST:
        raise BadRequest(
            f"capabilities can be {_LONGEST} bytes long, not {len(canonical)}", code=jsonrpc.INVALID_PARAMS
        )
    return Raw(canonical)


def lacking(capabilities: Raw, method: str, params: Raw) -> dict[str, Any]:
    """What a client would have to declare to be asked this; nothing where it has."""
    found = msgspec.json.decode(capabilities, type=dict[str, Any])
    needed = _needed(method, params)
    return {} if _holds(found, needed) else needed


def askable(capabilities: Raw) -> bool:
    """Whether there is anything that this client could be asked."""
    return any(name in bytes(capabilities) for name in (b'"elicitation"', b'"sampling"', b'"roots"'))


def _needed(method: str, params: Raw) -> dict[str, Any]:
    if method == "roots/list":
        return {"roots": {}}
    try:
        asked = msgspec.json.decode(params, type=_Asked) if bytes(params) else _Asked()
    except (msgspec.DecodeError, RecursionError):
        asked = _Asked()
    if method == "elicitation/create":
        return {"elicitation": {"url" if asked.mode == "url" else "form": {}}}
    if method == "sampling/createMessage":
        tools = bytes(asked.tools) or bytes(asked.toolChoice)
        return {"sampling": {"tools": {}} if tools else {}}
    return {"experimental": {method: {}}}


def _holds(found: dict[str, Any], needed: dict[str, Any]) -> bool:
    [(name, parts)] = needed.items()
    own = found.get(name)
    if not isinstance(own, dict):
        return False
    # A client that says no more than `elicitation: {}` means forms: links came later.
    return all(part in own or (part == "form" and "url" not in own) for part in parts)


def refused(request: Envelope, needed: dict[str, Any]) -> bytes:
    """The answer to a server that asks what its client has not declared."""
    return jsonrpc.error(
        request.id,
        jsonrpc.METHOD_NOT_FOUND,
        f"the client cannot be asked for {request.method}",
        {"requiredCapabilities": needed},
    )
