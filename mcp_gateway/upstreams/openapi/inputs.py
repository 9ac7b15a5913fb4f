"""What an operation is called with: its parameters and its body, each as one argument of the tool."""

import re
from collections import Counter
from typing import Any

from mcp_gateway.transports import OpenApi
from mcp_gateway.upstreams.openapi.answers import is_json, kind_of
from mcp_gateway.upstreams.openapi.document import Document, Unusable
from mcp_gateway.upstreams.openapi.operation import FORM, Body
from mcp_gateway.upstreams.openapi.parameters import Parameter, parameter
from mcp_gateway.upstreams.openapi.references import followed
from mcp_gateway.upstreams.openapi.schemas import Inliner

# What model APIs accept as the name of an argument.
_ARGUMENT = re.compile(r"[^a-zA-Z0-9_.-]")
_LONGEST_NAME = 64
_LONGEST_TEXT = 1_000


def inputs(
    document: Document, transport: OpenApi, shared: dict[str, Any], raw: dict[str, Any]
) -> tuple[tuple[Parameter, ...], Body | None]:
    """Raises Unusable for what cannot be sent."""
    places = _places(document, shared, raw)
    body = followed(document.root, raw["requestBody"]) if "requestBody" in raw else None
    names = _arguments(places, body is not None)
    parameters = _parameters(document, transport, places, names)
    return parameters, _body(document, body, names[-1]) if body is not None else None


def _places(document: Document, shared: dict[str, Any], raw: dict[str, Any]) -> list[dict[str, Any]]:
    """Parameter objects, those of the operation before those of its path with the same name and place."""
    found: dict[tuple[Any, Any], dict[str, Any]] = {}
    for listed in (shared.get("parameters"), raw.get("parameters")):
        for each in listed if isinstance(listed, list) else ():
            made = followed(document.root, each)
            found[(str(made.get("in")), str(made.get("name")))] = made
    return list(found.values())


def _arguments(places: list[dict[str, Any]], body: bool) -> list[str]:
    """What the tool calls each parameter, and the body last: by its name, or by place and name where two have
    one. Raises Unusable when that does not tell them apart.
    """
    both = [(str(each.get("in")), str(each.get("name"))) for each in places]
    both += [("request", "body")] if body else []
    names = [_ARGUMENT.sub("_", name)[:_LONGEST_NAME] for _, name in both]
    count = Counter(names)
    names = [
        name if count[name] == 1 else f"{place}_{name}"[:_LONGEST_NAME]
        for name, (place, _) in zip(names, both, strict=True)
    ]
    if len(set(names)) != len(names):
        raise Unusable("two parameters of it have one name")
    return names


def _parameters(
    document: Document, transport: OpenApi, places: list[dict[str, Any]], names: list[str]
) -> tuple[Parameter, ...]:
    set_by_us = {("header", name.lower()) for name in transport.headers}
    set_by_us |= {("query", name) for name in transport.query}
    made = []
    for found, argument in zip(places, names, strict=False):
        name = str(found.get("name"))
        if (found.get("in"), name.lower() if found.get("in") == "header" else name) in set_by_us:
            continue
        each = parameter(found, argument, _parameter_schema(document, found))
        if each is not None:
            made.append(each)
    return tuple(made)


def _parameter_schema(document: Document, found: dict[str, Any]) -> Any:
    holder = found
    if "schema" not in found:
        content = found.get("content")
        holder = next(iter(content.values()), {}) if isinstance(content, dict) else {}
    schema = _schema(document, holder)
    text = text_of(found, "description")
    if text and isinstance(schema, dict) and "description" not in schema:
        return schema | {"description": text[:_LONGEST_TEXT]}
    return schema


def _body(document: Document, found: dict[str, Any], argument: str) -> Body | None:
    content = found.get("content")
    kinds = content if isinstance(content, dict) else {}
    media = next((kind for kind in kinds if is_json(kind)), FORM if FORM in kinds else "")
    required = found.get("required") is True
    if not media:
        if required:
            raise Unusable("its body is neither JSON nor a form")
        return None
    return Body(
        argument=argument,
        media=kind_of(media),
        required=required,
        schema=_schema(document, kinds[media]),
    )


def _schema(document: Document, holder: Any) -> Any:
    return Inliner(document, "readOnly")(holder.get("schema", True) if isinstance(holder, dict) else True)


def text_of(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    return value.strip() if isinstance(value, str) else ""
