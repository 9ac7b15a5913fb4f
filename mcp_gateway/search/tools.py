"""The three tools of the small surface: their definitions, and what a call of one of them really asks for."""

from typing import Any

import msgspec
from msgspec import Raw

from mcp_gateway import meta
from mcp_gateway.ask import Ask, Named
from mcp_gateway.methods import Method
from shared import jsonrpc
from shared.errors import BadRequest

SEARCH, DESCRIBE, CALL = "search_tools", "describe_tool", "call_tool"
SEARCH_METHOD = Method(name="tools/search", does="answer")
DESCRIBE_METHOD = Method(name="tools/describe", does="answer")
_METHODS = {SEARCH: SEARCH_METHOD, DESCRIBE: DESCRIBE_METHOD}
_LONGEST_NAME = 2048
_NAME = {"type": "string", "description": "The tool's name, as search_tools gives it."}


def _tool(name: str, description: str, properties: dict[str, Any], required: list[str], read: bool) -> bytes:
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    annotations = {"annotations": {"readOnlyHint": True}} if read else {}
    return msgspec.json.encode(
        {"name": name, "description": description, "inputSchema": schema, **annotations}
    )


DEFINITIONS = (
    _tool(
        SEARCH,
        "Finds tools by what they do. Many tools are available here that are not listed: search before you "
        "decide that something cannot be done.",
        {
            "query": {"type": "string", "description": "What has to be done, in a few words."},
            "limit": {"type": "integer", "minimum": 1, "maximum": 50},
        },
        ["query"],
        True,
    ),
    _tool(
        DESCRIBE,
        "The full definition of one tool, with the arguments it takes.",
        {"name": _NAME},
        ["name"],
        True,
    ),
    _tool(
        CALL,
        "Calls a tool that search_tools has found.",
        {"name": _NAME, "arguments": {"type": "object", "description": "What its definition asks for."}},
        ["name"],
        False,
    ),
)


def unwrapped(ask: Ask) -> Ask:
    """What a call on the small surface asks for: the tool inside of `call_tool`, or one of the other two.
    Raises BadRequest.
    """
    if not ask.surface.search or ask.method.name != "tools/call" or ask.named is None:
        return ask
    if ask.named.name in _METHODS:
        arguments = meta.members(ask.params.get("arguments", Raw()))
        return msgspec.structs.replace(ask, method=_METHODS[ask.named.name], named=None, params=arguments)
    return _inner(ask, ask.named.arguments) if ask.named.name == CALL else ask


def _inner(ask: Ask, given: dict[str, Any]) -> Ask:
    name, arguments = given.get("name"), given.get("arguments")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise _wrong("name must be a tool's name")
    if not isinstance(arguments, dict | None):
        raise _wrong("arguments must be an object")
    raw = meta.members(ask.params["arguments"]).get("arguments", Raw(b"{}"))
    params = ask.params | {"name": Raw(msgspec.json.encode(name)), "arguments": raw}
    if arguments is None:
        del params["arguments"]
    return msgspec.structs.replace(
        ask, named=Named("tool", name, arguments or {}), params=params, wrapped=True
    )


def _wrong(what: str) -> BadRequest:
    return BadRequest(f"the tool does not take these arguments: {what}", code=jsonrpc.INVALID_PARAMS)
