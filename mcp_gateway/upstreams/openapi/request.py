"""One call as an HTTP request. Whatever the arguments are, method, host, path, query and headers stay those
of the operation.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from msgspec import Raw, Struct

from mcp_gateway.upstreams.openapi.operation import Body, Operation
from mcp_gateway.upstreams.openapi.parameters import (
    NotSendable,
    Pairs,
    Parameter,
    in_header,
    in_path,
    in_query,
    plain,
)

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_DOTS = frozenset((".", ".."))
_LONGEST_TARGET = 16_384


class Request(Struct, frozen=True):
    """`target` is path and query, below the API's address."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""


def request(operation: Operation, arguments: Mapping[str, Raw]) -> Request:
    """Raises NotSendable, with the argument that is wrong."""
    values = {name: _decoded(name, raw) for name, raw in arguments.items()}
    parts: dict[str, str] = {}
    query: Pairs = []
    headers: list[tuple[str, str]] = []
    for each in operation.parameters:
        value = values.get(each.argument)
        if value is None:
            if each.required:
                raise NotSendable(f"arguments.{each.argument}: must be given")
            continue
        try:
            if each.place == "path":
                parts[each.name] = in_path(each, value)
            elif each.place == "query":
                query += _pairs(each, value, operation)
            else:
                headers.append((each.name.lower(), in_header(each, value)))
        except NotSendable as error:
            raise NotSendable(f"arguments.{each.argument}: {error}") from None
    target = _target(operation.path, parts, query)
    method = operation.method.upper()
    if operation.body is None or operation.body.argument not in arguments:
        return Request(method, target, headers)
    argument = operation.body.argument
    body = _form(values[argument], operation.body) if operation.body.form else bytes(arguments[argument])
    return Request(method, target, [*headers, ("content-type", operation.body.media)], body)


def _pairs(each: Parameter, value: Any, operation: Operation) -> Pairs:
    """What stands in the query. The members of an object can stand there as parameters of their own: never
    as one that somebody else sets. Raises NotSendable.
    """
    others = [other.name for other in operation.parameters if other.place == "query"]
    taken = {_called(name) for name in (*others, *operation.own_query)} - {_called(each.name)}
    pairs = in_query(each, value)
    if any(_called(unquote(name)) in taken for name, _ in pairs):
        raise NotSendable("has a member that is the name of another parameter")
    return pairs


def _called(name: str) -> str:
    """A parameter's name as careless servers read it: whatever the case, and what is in brackets is part of
    it.
    """
    return name.partition("[")[0].casefold()


def _target(path: str, parts: Mapping[str, str], query: Pairs) -> str:
    made = _PLACEHOLDER.sub(lambda found: parts.get(found[1], ""), path)
    before, after = path.split("/"), made.split("/")
    if len(before) != len(after) or any(
        unquote(now) in _DOTS and was != now for was, now in zip(before, after, strict=True)
    ):
        raise NotSendable("arguments: together they would lead to another path")
    target = quote(made, safe="/%:@!$&'()*+,;=~") + ("?" if query else "")
    target += "&".join(f"{name}={value}" for name, value in query)
    if len(target) > _LONGEST_TARGET:
        raise NotSendable(f"arguments: the address would be longer than {_LONGEST_TARGET} characters")
    return target


def _form(value: Any, body: Body) -> bytes:
    if not isinstance(value, dict):
        raise NotSendable(f"arguments.{body.argument}: must be an object")
    fields = [
        (name, plain(part))
        for name, given in value.items()
        for part in (given if isinstance(given, list) else [given])
        if part is not None
    ]
    try:
        return "&".join(f"{quote(name, safe='')}={quote(text, safe='')}" for name, text in fields).encode()
    except UnicodeEncodeError:
        raise NotSendable(f"arguments.{body.argument}: has half a character") from None


def _decoded(name: str, raw: Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        raise NotSendable(f"arguments.{name}: is nested too deeply") from None
