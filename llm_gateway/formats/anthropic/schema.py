"""JSON Schema as Anthropic wants it for answers: objects that say what they do not hold."""

from typing import Any

_MAPS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "oneOf", "prefixItems")
_DEPTH = 64


def closed(schema: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """`schema` with `additionalProperties: false` at every object that leaves it open: what fits the result
    fits `schema`.
    """
    if depth > _DEPTH:
        return schema
    found = dict(schema)
    for name, inner in schema.items():
        if name in _MAPS and isinstance(inner, dict):
            found[name] = {key: _closed(value, depth) for key, value in inner.items()}
        elif name in _LISTS and isinstance(inner, list):
            found[name] = [_closed(value, depth) for value in inner]
        elif name == "items":
            found[name] = _closed(inner, depth)
    if found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found


def _closed(value: Any, depth: int) -> Any:
    return closed(value, depth + 1) if isinstance(value, dict) else value
