"""One parameter of an operation, and whether what was sent for it is what the document asks for."""

import re
from typing import Any, Literal

import msgspec
from msgspec import Struct

from api_gateway.contract.document import BadDocument, Document, Validator

Place = Literal["path", "query", "header"]
Many = Literal["", "comma", "repeated"]
# What is written like these may be meant as that instead of as text.
_SCALAR = re.compile(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?|true|false|null")
# The specification takes these out: they are not described as parameters.
_NOT_HEADERS = frozenset(("accept", "content-type", "authorization"))
_SHOWN = 300


class Parameter(Struct, frozen=True, kw_only=True):
    """`many` is how a list of values is written. Without a `validator` it only has to be there."""

    name: str
    place: Place
    required: bool
    many: Many = ""
    validator: Validator | None = None

    def problem(self, values: list[str]) -> str:
        """What is wrong with what was sent under its name; "" where nothing is."""
        if not values:
            return "is missing" if self.required else ""
        if self.many != "repeated" and len(values) > 1:
            return "stands more than once"
        if self.validator is None:
            return ""
        if not self.many:
            return _problem(self.validator, values[0], _meant(values[0]))
        items = values[0].split(",") if self.many == "comma" else values
        return _problem(self.validator, items, [_meant(item) for item in items])


def parameter(document: Document, raw: Any, path: tuple[str, ...]) -> Parameter | None:
    """The parameter that `raw`, at `path`, describes; None for what never travels. Raises BadDocument."""
    part = document.followed(raw)
    if not isinstance(part, dict) or not isinstance(part.get("name"), str):
        raise BadDocument(f"{'/'.join(path)}: is no parameter")
    name, place = part["name"], part.get("in")
    if place == "header":
        name = name.lower()
    if place not in ("path", "query", "header") or (place == "header" and name in _NOT_HEADERS):
        return None
    required = part.get("required") is True or place == "path"
    if "schema" not in part:
        return Parameter(name=name, place=place, required=required)
    many = _many(document, part)
    if many is None:
        return Parameter(name=name, place=place, required=required)
    validator = document.validator(*document.whereabouts(raw, path), "schema")
    return Parameter(name=name, place=place, required=required, many=many, validator=validator)


def problem(validator: Validator, value: Any) -> str:
    """The first thing wrong, with its place where it is inside of something."""
    try:
        error = next(iter(validator.iter_errors(value)), None)
    except ValueError as found:
        return str(found)[:_SHOWN]
    if error is None:
        return ""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
    place = "".join(steps).removeprefix(".")
    return f"{place}: {error.message[:_SHOWN]}" if place else error.message[:_SHOWN]


def _problem(validator: Validator, text: Any, meant: Any) -> str:
    if validator.is_valid(text):
        return ""
    return problem(validator, meant)


def _meant(text: str) -> Any:
    return msgspec.json.decode(text) if _SCALAR.fullmatch(text) else text


def _many(document: Document, part: dict[str, Any]) -> Many | None:
    """None for what is written in a way that is not taken apart here: objects, and other styles."""
    schema = document.followed(part["schema"])
    kinds = schema.get("type", "") if isinstance(schema, dict) else ""
    kinds = kinds if isinstance(kinds, list) else [kinds]
    query = part.get("in") == "query"
    if "object" in kinds or part.get("style", "form" if query else "simple") not in ("form", "simple"):
        return None
    if "array" not in kinds:
        return ""
    return "repeated" if query and part.get("explode", True) is True else "comma"
