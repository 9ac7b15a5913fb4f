"""Schemas of a document as plain JSON Schema that stands for itself: references resolved, within bounds."""

from typing import Any

import msgspec

from mcp_gateway.upstreams.openapi.document import Document, Unusable
from mcp_gateway.upstreams.openapi.references import target

_DEEPEST = 48
_MOST_PARTS = 5_000
# What is no schema (texts, lists of values) counts by its length.
_PART_BYTES = 64
# What says nothing about a value, or speaks of a place that is not there any more.
_DROPPED = frozenset(
    ("example", "examples", "xml", "externalDocs", "discriminator", "$id", "$schema", "$anchor", "$comment")
)
_ONE = frozenset(
    (
        "items",
        "additionalProperties",
        "not",
        "if",
        "then",
        "else",
        "contains",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
    )
)
_MANY = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_NAMED = frozenset(("properties", "patternProperties", "dependentSchemas"))
_TOO_LARGE = "a schema of it is too large once its references are resolved"
_DYNAMIC = ("$dynamicRef", "$recursiveRef")


class Inliner:
    """For one schema: its parts are counted, and so are those of all in its document. `hidden` properties are
    left out: `readOnly` ones of what is sent, `writeOnly` ones of what comes back.
    """

    def __init__(self, document: Document, hidden: str) -> None:
        self._document = document
        self._hidden = hidden
        self._left = _MOST_PARTS

    def __call__(self, schema: Any, way: tuple[str, ...] = (), depth: int = 0) -> Any:
        """The schema without references. Raises Unusable for one that loops or is too large."""
        self._spend(1)
        if depth > _DEEPEST:
            raise Unusable(_TOO_LARGE)
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise Unusable("a schema of it is no object")
        ref = schema.get("$ref")
        if isinstance(ref, str):
            return self._followed(schema, ref, way, depth)
        if any(word in schema for word in _DYNAMIC):
            raise Unusable("a schema of it has dynamic references")
        made = {
            word: self._part(word, value, way, depth)
            for word, value in schema.items()
            if word not in _DROPPED and not word.startswith("x-") and word not in ("$defs", "definitions")
        }
        self._show(made, schema)
        return _renewed(made) if self._document.old else made

    def _followed(self, schema: dict[str, Any], ref: str, way: tuple[str, ...], depth: int) -> Any:
        if ref in way:
            raise Unusable(f"the schema {ref[:100]!r} refers to itself")
        found = self(target(self._document.root, ref), (*way, ref), depth + 1)
        beside = {word: value for word, value in schema.items() if word != "$ref"}
        # What stands beside a reference counts since 3.1 only.
        if not beside or self._document.old:
            return found
        own = self(beside, way, depth + 1)
        if isinstance(found, dict) and not set(found) & set(own):
            return found | own
        return {"allOf": [found, own]} if own else found

    def _part(self, word: str, value: Any, way: tuple[str, ...], depth: int) -> Any:
        if word in _ONE:
            return self(value, way, depth + 1)
        if word in _MANY and isinstance(value, list):
            return [self(part, way, depth + 1) for part in value]
        if word in _NAMED and isinstance(value, dict):
            return {name: self(part, way, depth + 1) for name, part in value.items()}
        if isinstance(value, list | dict) or (isinstance(value, str) and len(value) >= _PART_BYTES):
            self._spend(len(msgspec.json.encode(value)) // _PART_BYTES)
        return value

    def _spend(self, parts: int) -> None:
        self._left -= parts
        self._document.room.left -= parts
        if self._left < 0:
            raise Unusable(_TOO_LARGE)
        if self._document.room.left < 0:
            raise Unusable("the schemas before it leave no room for its own: choose with include")

    def _show(self, made: dict[str, Any], schema: dict[str, Any]) -> None:
        properties = made.get("properties")
        if not isinstance(properties, dict):
            return
        secret = {
            name for name, part in properties.items() if isinstance(part, dict) and part.get(self._hidden)
        }
        if secret:
            made["properties"] = {name: part for name, part in properties.items() if name not in secret}
            required = schema.get("required")
            if isinstance(required, list):
                made["required"] = [name for name in required if name not in secret]


def _renewed(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of 3.0 in the words of JSON Schema 2020-12."""
    for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(bound), bool) and schema.pop(bound) and limit in schema:
            schema[bound] = schema.pop(limit)
    if not schema.pop("nullable", False):
        return schema
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return schema | {"type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}
