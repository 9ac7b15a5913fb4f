"""An OpenAPI document read from its file, as one that validation can work with: bounded, and standing for
itself. The only door of the edge to jsonschema_rs.
"""

from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import jsonschema_rs
import yaml

Validator = jsonschema_rs.Validator
# The C parser where the library was built with it.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LARGEST = 5_242_880
_DEEPEST = 64
_URI = "urn:gatestack:openapi"
# Values stay out of messages: they may be secrets, and the caller knows them.
_MASK = "the value"
_STATE_BYTES = 1_048_576


class BadDocument(ValueError):
    """What is wrong with it, in words for an operator."""


class Document:
    """`root` is the document; 3.0 has been rewritten to what 3.1 says for the same."""

    def __init__(self, root: dict[str, Any]) -> None:
        version = str(root.get("openapi", ""))
        if not version.startswith(("3.0", "3.1")):
            raise BadDocument(f"openapi: 3.0 and 3.1 are read here, this says {version[:20]!r}")
        if not isinstance(root.get("paths"), dict):
            raise BadDocument("paths: missing")
        self.root = _asked(root, 0, earlier=version.startswith("3.0"))
        self._registry = jsonschema_rs.Registry([(_URI, self.root)], draft=jsonschema_rs.Draft202012)

    def followed(self, part: Any) -> Any:
        """`part`, or what it refers to. Raises BadDocument."""
        for _ in range(_DEEPEST):
            if not isinstance(part, dict) or not isinstance(part.get("$ref"), str):
                return part
            part = self._at(part["$ref"])
        raise BadDocument(f"{part['$ref'][:200]}: refers to itself")

    def whereabouts(self, part: Any, path: tuple[str, ...]) -> tuple[str, ...]:
        """Where what `part` means really stands: at `path`, or where its reference leads."""
        for _ in range(_DEEPEST):
            if not isinstance(part, dict) or not isinstance(part.get("$ref"), str):
                break
            path = _steps(part["$ref"])
            part = self._at(part["$ref"])
        return path

    def validator(self, *path: str) -> Validator:
        """What checks by the schema that stands at `path`. Raises BadDocument."""
        pointer = "/".join(("#", *(_escaped(step) for step in path)))
        try:
            return jsonschema_rs.validator_for(
                {"$ref": _URI + pointer},
                mask=_MASK,
                offline=True,
                registry=self._registry,
                # Time in proportion to the text, whatever the pattern is.
                pattern_options=jsonschema_rs.RegexOptions(
                    size_limit=_STATE_BYTES, dfa_size_limit=_STATE_BYTES
                ),
            )
        except ValueError as error:
            what = str(error).splitlines()[0][:200]
            raise BadDocument(f"{'/'.join(path)}: cannot be used: {what}") from error

    def _at(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            raise BadDocument(f"{reference[:200]}: references may only lead into this document")
        found: Any = self.root
        for name in _steps(reference):
            if isinstance(found, list) and name.isdigit() and int(name) < len(found):
                found = found[int(name)]
                continue
            if not isinstance(found, dict) or name not in found:
                raise BadDocument(f"{reference[:200]}: there is nothing at that place")
            found = found[name]
        return found


def read(path: Path) -> Document:
    """Raises BadDocument."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise BadDocument(f"it is larger than {_LARGEST} bytes")
        # JSON is YAML, too. Aliases could make a small file a huge document.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(data, Loader=_SafeLoader)):
            raise BadDocument("YAML aliases are not read")
        root = yaml.load(data, Loader=_SafeLoader)  # noqa: S506
    except OSError as error:
        raise BadDocument(f"cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise BadDocument(f"is not valid YAML or JSON: {error}") from error
    if not isinstance(root, dict):
        raise BadDocument("must hold an OpenAPI document")
    return Document(root)


def _asked(part: Any, depth: int, *, earlier: bool) -> Any:
    """The document as a request is held to it: without what only answers must have, and as 3.1 writes it."""
    if depth > _DEEPEST:
        raise BadDocument(f"it is nested deeper than {_DEEPEST}")
    if isinstance(part, list):
        return [_asked(item, depth + 1, earlier=earlier) for item in part]
    if not isinstance(part, dict):
        return part if isinstance(part, str | int | float | bool | None) else str(part)
    found = {str(name): _asked(item, depth + 1, earlier=earlier) for name, item in part.items()}
    _without_read_only(found)
    if earlier:
        _as_later(found)
    return found


def _without_read_only(schema: dict[str, Any]) -> None:
    properties, required = schema.get("properties"), schema.get("required")
    if isinstance(properties, dict) and isinstance(required, list):
        schema["required"] = [
            name
            for name in required
            if not (isinstance(properties.get(name), dict) and properties[name].get("readOnly") is True)
        ]


def _as_later(schema: dict[str, Any]) -> None:
    """https://www.openapis.org/blog/2021/02/16/migrating-from-openapi-3-0-to-3-1-0"""
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(exclusive), bool) and schema.pop(exclusive) and bound in schema:
            schema[exclusive] = schema.pop(bound)
    nullable = isinstance(schema.get("nullable"), bool) and schema.pop("nullable")
    if nullable and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
        if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]


def _escaped(step: str) -> str:
    return quote(step.replace("~", "~0").replace("/", "~1"), safe="~._-")


def _steps(reference: str) -> tuple[str, ...]:
    return tuple(unquote(step).replace("~1", "/").replace("~0", "~") for step in reference[2:].split("/"))
