"""The subset of OpenAPI's schemas that Gemini began with, as JSON Schema. The way back is not needed: Gemini
takes JSON Schema as it is.
"""

from typing import Any

from llm_gateway.formats.gemini.case import spelled

_COUNTS = frozenset(
    ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties", "minimum", "maximum")
)
_KEPT = frozenset(
    ("format", "title", "description", "default", "enum", "pattern", "required", "uniqueItems", "nullable")
)
_NAMED = frozenset(("properties", "defs", "$defs"))
_SAME = ("properties", "items", "additionalProperties", "anyOf", "oneOf")
_NESTED = {name: name for name in _SAME} | {"defs": "$defs", "$defs": "$defs"}


def json_schema(given: dict[str, Any]) -> dict[str, Any]:
    """Raises ValueError, RecursionError."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if value is not None:
            _take(found, spelled(name), value)
    if found.pop("nullable", False):
        _nullable(found)
    return found


def _take(found: dict[str, Any], name: str, value: Any) -> None:
    if name == "type":
        if isinstance(value, str) and value != "TYPE_UNSPECIFIED":
            found["type"] = value.lower()
    elif name in _COUNTS:
        # Large integers travel as text in Google's JSON.
        found[name] = _number(value) if isinstance(value, str) else value
    elif name in _NESTED:
        found[_NESTED[name]] = _each(name, value)
    elif name in ("ref", "$ref"):
        found["$ref"] = str(value).replace("#/defs/", "#/$defs/")
    elif name == "example":
        found["examples"] = [value]
    elif name in _KEPT:
        found[name] = value


def _each(name: str, value: Any) -> Any:
    """The schemas in a member: it is one, or a list of them, or has them under names of the caller's."""
    if isinstance(value, list):
        return [_nested(item) for item in value]
    if isinstance(value, dict) and name in _NAMED:
        return {key: _nested(item) for key, item in value.items()}
    return _nested(value)


def _nested(value: Any) -> Any:
    return json_schema(value) if isinstance(value, dict) else value


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number


def _nullable(found: dict[str, Any]) -> None:
    if "anyOf" in found:
        found["anyOf"] = [*found["anyOf"], {"type": "null"}]
    elif "type" in found:
        found["type"] = [found["type"], "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
