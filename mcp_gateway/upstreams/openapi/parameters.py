"""Parameters of operations as they stand in paths, queries and headers, so that no value is ever more than a
value.

Source: https://spec.openapis.org/oas/v3.1.1#parameter-object (styles and explode).
"""

import re
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import quote

import msgspec
from msgspec import Struct

from mcp_gateway.upstreams.openapi.document import Unusable

Place = Literal["path", "query", "header"]
Pairs = list[tuple[str, str]]
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
# Ours, the operator's, or nobody's: an argument never becomes one of these.
_RESERVED = re.compile(
    r"(authorization|proxy-.*|cookie2?|host|content-.*|accept|accept-encoding|connection|keep-alive|te|"
    r"trailer|transfer-encoding|upgrade|expect|via|forwarded|x-forwarded-.*|x-real-ip|x-original-.*|"
    r"x-rewrite-.*|x-http-method.*|x-method-override|traceparent|tracestate|baggage|user-agent|origin)"
)
_STYLES = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
}
# What stands between the values of one parameter, and how it is written in a query.
_BETWEEN = {"spaceDelimited": " ", "pipeDelimited": "|", "label": ".", "matrix": ";"}
_WRITTEN = {" ": "%20", "|": "%7C"}
# Servers take a path apart there, some before they decode it and some after.
_DIVIDES = re.compile(r"[/\\;\x00-\x1f\x7f]")


class Parameter(Struct, frozen=True, kw_only=True):
    """`argument` is what the tool calls it, `name` what the API does. `as_json` ones are written as JSON."""

    argument: str
    name: str
    place: Place
    style: str
    explode: bool
    required: bool
    schema: Any
    as_json: bool = False


class NotSendable(ValueError):
    """A value that cannot stand where it would have to; the text says why."""


def parameter(found: dict[str, Any], argument: str, schema: Any) -> Parameter | None:
    """A parameter object of the document; None for one that is not the caller's to set. Raises Unusable."""
    place, name = found.get("in"), found.get("name")
    required = found.get("required") is True or place == "path"
    if place == "cookie":
        if required:
            raise Unusable("it needs a cookie")
        return None
    if place not in ("path", "query", "header") or not isinstance(name, str) or not name:
        raise Unusable("a parameter of it has no name or no place")
    if place == "header":
        if not _TOKEN.fullmatch(name):
            raise Unusable("a header of it has a name that headers cannot have")
        if _RESERVED.fullmatch(name.lower()):
            return None
    style = found.get("style", _STYLES[place][0])
    if style not in _STYLES[place]:
        raise Unusable(f"the parameter {name[:60]!r} has a style that is none in a {place}")
    explode = found.get("explode", style in ("form", "deepObject"))
    return Parameter(
        argument=argument,
        name=name,
        place=place,
        style=style,
        explode=explode is True,
        required=required,
        schema=schema,
        as_json="schema" not in found,
    )


def in_path(parameter: Parameter, value: Any) -> str:
    """The value for the place in the path. Raises NotSendable for one that could lead elsewhere."""
    name = quote(parameter.name, safe="")
    explode = parameter.explode and not parameter.as_json
    between = _BETWEEN.get(parameter.style, ",") if explode else ","
    pairs = _parts(parameter, value, _segment, between)
    if _is_object(parameter, value):
        texts = [f"{key}={part}" if explode else f"{key},{part}" for key, part in pairs]
    else:
        named = explode and parameter.style == "matrix"
        texts = [f"{name}={part}" if named else part for _, part in pairs]
    start = {"label": ".", "matrix": ";" if explode else f";{name}="}.get(parameter.style, "")
    return start + between.join(texts)


def in_query(parameter: Parameter, value: Any) -> Pairs:
    """Encoded names and values. Raises NotSendable."""
    name = quote(parameter.name, safe="")
    explode = parameter.explode or parameter.style == "deepObject"
    between = "" if explode else _BETWEEN.get(parameter.style, ",")
    pairs = _parts(parameter, value, _encoded, between)
    if _is_object(parameter, value):
        if parameter.style == "deepObject":
            return [(f"{name}%5B{key}%5D", part) for key, part in pairs]
        if explode:
            return pairs
        pairs = [("", f"{key},{part}") for key, part in pairs]
    if explode:
        return [(name, part) for _, part in pairs]
    return [(name, _WRITTEN.get(between, between).join(part for _, part in pairs))]


def in_header(parameter: Parameter, value: Any) -> str:
    """Raises NotSendable for what would end the header, or is no text of headers."""
    pairs = _parts(parameter, value, str, ",")
    if _is_object(parameter, value):
        between = "=" if parameter.explode else ","
        text = ",".join(f"{key}{between}{part}" for key, part in pairs)
    else:
        text = ",".join(part for _, part in pairs)
    if not _HEADER_VALUE.fullmatch(text):
        raise NotSendable("has characters that a header cannot have")
    return text


def plain(value: Any) -> str:
    """A value as text; what is no single value, as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return msgspec.json.encode(value).decode()


def _is_object(parameter: Parameter, value: Any) -> bool:
    return isinstance(value, dict) and not parameter.as_json


def _parts(parameter: Parameter, value: Any, encode: Callable[[str], str], between: str) -> Pairs:
    """The single values in `value`, with their names where it is an object. Several are told apart by
    `between`, which must not be part of one then: not every server decodes after it has divided.
    """
    if parameter.as_json:
        return [("", encode(msgspec.json.encode(value).decode()))]
    if not isinstance(value, dict | list):
        return [("", encode(plain(value)))]
    pairs = list(value.items()) if isinstance(value, dict) else [("", part) for part in value]
    texts = [(key, plain(part)) for key, part in pairs]
    if between and any(between in text for pair in texts for text in pair):
        raise NotSendable(f"has a value with {between!r} in it, which stands between values there")
    return [(encode(key) if key else "", encode(text)) for key, text in texts]


def _encoded(text: str) -> str:
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise NotSendable("has half a character") from None


def _segment(text: str) -> str:
    if not text or _DIVIDES.search(text):
        raise NotSendable("must be one part of a path: not empty, and without slashes")
    return _encoded(text)
