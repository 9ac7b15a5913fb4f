"""The operations of an OpenAPI document, by method and path."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from msgspec import Struct

from api_gateway.contract.document import BadDocument, Document, Validator
from api_gateway.contract.parameter import Parameter, parameter
from api_gateway.media_type import is_json
from shared.errors import MethodNotAllowed, NotFound

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
# A part of a path as plain text, or what stands before a parameter, its name, and what stands after it.
Part = str | tuple[str, str, str]
Bodies = dict[str, Validator | None]


class Operation(Struct, frozen=True, kw_only=True):
    """`bodies` is by media type or range in lower case, None where there is nothing to check."""

    parameters: tuple[Parameter, ...] = ()
    bodies: Bodies = {}
    body_required: bool = False


class Operations:
    """All of a document's. Raises BadDocument when it is made."""

    def __init__(self, document: Document) -> None:
        table: list[tuple[list[Part], dict[str, Operation]]] = []
        for template, item in document.root["paths"].items():
            if not template.startswith("/"):
                continue
            table.append((_parts(template), dict(_operations(document, template, item))))
        # What is written out goes before what is caught, as far to the left as possible.
        table.sort(key=lambda row: [not isinstance(part, str) for part in row[0]])
        self._table = table

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]]:
        """The operation for a path in its escaped form, and the values in it. Raises NotFound,
        MethodNotAllowed.
        """
        parts = path.split("/")[1:]
        for template, methods in self._table:
            values = _values(template, parts)
            if values is None:
                continue
            found = methods.get(method) or (methods.get("GET") if method == "HEAD" else None)
            if found is None:
                allowed = ", ".join(sorted(methods))
                raise MethodNotAllowed(f"the service's API takes {allowed or 'nothing'} at this path")
            return found, values
        raise NotFound("the service's API has nothing at this path")


def _operations(document: Document, template: str, raw: Any) -> Iterator[tuple[str, Operation]]:
    item = document.followed(raw)
    if not isinstance(item, dict):
        raise BadDocument(f"{template}: is no path item")
    base = document.whereabouts(raw, ("paths", template))
    for method in _METHODS:
        if isinstance(item.get(method), dict):
            yield method.upper(), _operation(document, item, method, base)


def _operation(document: Document, item: dict[str, Any], method: str, base: tuple[str, ...]) -> Operation:
    raw = item[method]
    # An operation's own parameters stand in for the path's with the same name.
    found: dict[tuple[str, str], Parameter] = {}
    for where, holder in ((base, item), ((*base, method), raw)):
        for number, each in enumerate(_held(holder, "parameters", where, list)):
            one = parameter(document, each, (*where, "parameters", str(number)))
            if one is not None:
                found[one.place, one.name] = one
    path = (*base, method, "requestBody")
    body = document.followed(_held(raw, "requestBody", (*base, method), dict))
    bodies: Bodies = {}
    for media, held in _held(body, "content", path, dict).items():
        checked = is_json(media) and isinstance(held, dict) and "schema" in held
        place = (*document.whereabouts(raw.get("requestBody"), path), "content", media, "schema")
        bodies[media.lower()] = document.validator(*place) if checked else None
    required = body.get("required") is True
    return Operation(parameters=tuple(found.values()), bodies=bodies, body_required=required)


def _held(holder: Any, name: str, path: tuple[str, ...], kind: type) -> Any:
    """What stands under `name`, empty where nothing does. Raises BadDocument where it is something else."""
    found = holder.get(name) if isinstance(holder, dict) else holder
    if found is None:
        return kind()
    if not isinstance(found, kind):
        raise BadDocument(f"{'/'.join((*path, name))}: is no {'list' if kind is list else 'object'}")
    return found


def _parts(template: str) -> list[Part]:
    parts: list[Part] = []
    for part in template.split("/")[1:]:
        before, brace, rest = part.partition("{")
        name, closed, after = rest.partition("}")
        if brace and (not closed or not name or "{" in after):
            raise BadDocument(f"{template}: one whole parameter a part can be read here")
        parts.append((before, name, after) if brace else part)
    return parts


def _values(template: list[Part], parts: list[str]) -> dict[str, str] | None:
    """What the parameters of a template stand for; None where it does not fit."""
    if len(template) != len(parts):
        return None
    values: dict[str, str] = {}
    for wanted, part in zip(template, parts, strict=True):
        if isinstance(wanted, str):
            if unquote(part) != wanted:
                return None
            continue
        before, name, after = wanted
        length = len(part) - len(before) - len(after)
        if length < 1 or not part.startswith(before) or not part.endswith(after):
            return None
        values[name] = unquote(part[len(before) : len(part) - len(after)])
    return values
