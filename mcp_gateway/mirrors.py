"""Parameters that the stateless era repeats in HTTP headers: writing them for servers, comparing them for
clients.

Source: https://modelcontextprotocol.io/specification/2026-07-28/basic/transports (custom headers,
`x-mcp-header`).
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

ANNOTATION = "x-mcp-header"
PREFIX = "mcp-param-"
_ANNOTATED, _ESCAPED = ANNOTATION.encode(), b"\\u"
_PLAIN = re.compile(r"[\x20-\x7e]*")
_WRAPPED = re.compile(r"=\?base64\?(.*)\?=")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_DECIMAL = re.compile(r"-?[0-9]+(\.0+)?")
_MIRRORED_TYPES = ("string", "integer", "boolean")
_DEEPEST = 16

Headers = tuple[tuple[str, str], ...]
Path = tuple[str, ...]
# Which arguments of a tool are mirrored: the path to each, and its header's name.
Mirrors = tuple[tuple[Path, str], ...]


class _Tool(Struct):
    inputSchema: Any = None


def encoded(value: str) -> str:
    """`value` as a header carries it."""
    if _PLAIN.fullmatch(value) and value == value.strip() and not _WRAPPED.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode('utf-8', 'replace')).decode()}?="


def decoded(value: str) -> str | None:
    """What a header says; None when it is wrapped and cannot be unwrapped in exactly one way."""
    match = _WRAPPED.fullmatch(value)
    if match is None:
        return value
    try:
        plain = base64.b64decode(match[1], validate=True)
        return plain.decode() if base64.b64encode(plain).decode() == match[1] else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def mirrors(schema: Any) -> Mirrors:
    """The annotations of a tool's input schema; none at all when one is not valid, as its clients see it."""
    found = tuple(_annotated(schema, ()))
    return found if _valid(found) else ()


def well_annotated(definition: Raw) -> bool:
    """Whether clients of the stateless era may call this tool: where one annotation is not valid, they must
    leave it out.
    """
    raw = bytes(definition)
    if _ANNOTATED not in raw and _ESCAPED not in raw:
        return True
    try:
        schema = msgspec.json.decode(raw, type=_Tool).inputSchema
    except (msgspec.DecodeError, RecursionError):
        return True
    return _valid(tuple(_annotated(schema, ())))


def headers(wanted: Mirrors, arguments: Mapping[str, Any]) -> Headers:
    """The headers that repeat these arguments."""
    rendered = ((name, _rendered(_at(arguments, path))) for path, name in wanted)
    return tuple((name, encoded(value)) for name, value in rendered if value is not None)


def mismatch(wanted: Mirrors, arguments: Mapping[str, Any], sent: Mapping[str, str]) -> str | None:
    """The first header in `sent` that does not say what its argument says, or None."""
    for path, name in wanted:
        value = _rendered(_at(arguments, path))
        header = sent.get(name)
        if header is None and value is None:
            continue
        if header is None or value is None or not _same(value, decoded(header)):
            return name
    return None


def _valid(found: Mirrors) -> bool:
    names = [header for _, header in found]
    return "" not in names and len(set(names)) == len(names)


def _annotated(schema: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Where the annotation stands on the way down through `properties`; an empty name for one that is not
    valid.
    """
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or len(path) > _DEEPEST:
        return
    for name, part in properties.items():
        if not isinstance(part, dict):
            continue
        if ANNOTATION in part:
            token = part[ANNOTATION]
            valid = isinstance(token, str) and _TOKEN.fullmatch(token) and part.get("type") in _MIRRORED_TYPES
            yield (*path, name), f"{PREFIX}{token.lower()}" if valid else ""
        yield from _annotated(part, (*path, name))


def _at(arguments: Mapping[str, Any], path: Path) -> Any:
    value: Any = arguments
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _rendered(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else None


def _same(value: str, header: str | None) -> bool:
    if header == value:
        return True
    # 42 and 42.0 are one number.
    return header is not None and bool(_DECIMAL.fullmatch(header)) and header.partition(".")[0] == value
