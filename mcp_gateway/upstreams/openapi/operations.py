"""From a document to its operations: those that can become tools, and of the others why not."""

import hashlib
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Raw, Struct

from mcp_gateway.schema import Arguments
from mcp_gateway.transports import OpenApi
from mcp_gateway.upstreams.openapi.answers import answers
from mcp_gateway.upstreams.openapi.document import Document, Unusable
from mcp_gateway.upstreams.openapi.inputs import inputs, text_of
from mcp_gateway.upstreams.openapi.operation import Operation
from mcp_gateway.upstreams.openapi.references import followed

_METHODS = ("get", "put", "post", "delete", "patch", "head")
_MOST = 2_000
_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME, _MARK = 64, 8
# Below the API's address there is no way up.
_UP = re.compile(r"[/\\]\.\.?([/\\;]|$)")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class Found(Struct, frozen=True):
    """`left_out` says of operations why they are no tools."""

    operations: dict[str, Operation]
    left_out: dict[str, str]


def operations(document: Document, transport: OpenApi) -> Found:
    """What of `document` becomes tools. Raises Unusable when that is nothing."""
    found: dict[str, Operation] = {}
    left_out: dict[str, str] = {}
    for path, method, shared, raw in _all(document):
        given = raw.get("operationId")
        known = given if isinstance(given, str) and given else f"{method} {path}"
        if not _chosen(known, raw.get("tags"), transport):
            continue
        try:
            name = _tool_name(known)
            if name in found:
                raise Unusable("its name is another's too")
            if len(found) >= _MOST:
                raise Unusable(f"only {_MOST} operations become tools: choose with include")
            found[name] = _operation(document, transport, name, path, method, shared, raw)
        except Unusable as error:
            left_out[known[:200]] = str(error)
    if not found:
        why = next((f"{name}: {reason}" for name, reason in left_out.items()), "it has none")
        raise Unusable(f"no operation of it can become a tool ({why})")
    return Found(found, left_out)


def _all(document: Document) -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    paths = document.root.get("paths")
    for path, item in paths.items() if isinstance(paths, dict) else ():
        try:
            shared = followed(document.root, item)
        except Unusable:
            continue
        for method in _METHODS:
            if isinstance(raw := shared.get(method), dict):
                yield path, method, shared, raw


def _chosen(known: str, tags: Any, transport: OpenApi) -> bool:
    names = [known, *(tag for tag in tags if isinstance(tag, str))] if isinstance(tags, list) else [known]

    def named(patterns: list[str]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)

    return (not transport.include or named(transport.include)) and not named(transport.exclude)


def _operation(
    document: Document,
    transport: OpenApi,
    name: str,
    path: str,
    method: str,
    shared: dict[str, Any],
    raw: dict[str, Any],
) -> Operation:
    if "servers" in raw or "servers" in shared:
        raise Unusable("it is at another address than the rest")
    if not path.startswith("/") or "?" in path or "#" in path or _UP.search(unquote(path)):
        raise Unusable("its path is none")
    parameters, body = inputs(document, transport, shared, raw)
    if set(_PLACEHOLDER.findall(path)) != {each.name for each in parameters if each.place == "path"}:
        raise Unusable("its path and its parameters do not belong together")
    schema, wrapped = answers(document, raw) if transport.typed else (None, False)
    return Operation(
        name=name,
        method=method,
        path=path,
        parameters=parameters,
        own_query=tuple(transport.query),
        body=body,
        title=text_of(raw, "summary")[:200],
        text="\n\n".join(filter(None, (text_of(raw, "summary"), text_of(raw, "description")))),
        answers=schema,
        wrapped=wrapped,
        checks=Arguments(Raw(msgspec.json.encode(schema))) if schema is not None else None,
    )


def _tool_name(known: str) -> str:
    """A name that models accept; one that had to be changed is marked with a digest of what it was, so that
    no two become one.
    """
    name = _NAME.sub("_", known)
    if name == known and len(name) <= _LONGEST_NAME:
        return name
    mark = hashlib.sha256(known.encode("utf-8", "replace")).hexdigest()[:_MARK]
    return f"{name[: _LONGEST_NAME - _MARK - 1].strip('_')}_{mark}"
