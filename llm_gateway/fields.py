"""Members of a caller's request by their types; what has the wrong one is refused by its name."""

import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Raw

from llm_gateway.ask import Ask
from shared.errors import BadRequest

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Tokens = Annotated[int, Meta(ge=0, le=2**31 - 1)] | None

ABSENT = Raw(b"null")
NAME, FLAG, TOKENS = (msgspec.json.Decoder(kind) for kind in (Name, bool | None, Tokens))
_PLACE = re.compile(r" - at `(?:key in )?\$\.?(.*)`$", re.DOTALL)
_SHOWN = 200
T = TypeVar("T")


def member(found: dict[str, Raw], name: str, decoder: msgspec.json.Decoder[Any], path: str = "") -> Any:
    """A member's value, None where it is absent. Raises BadRequest naming it when it has the wrong type."""
    raw = found.get(name)
    if raw is None:
        return None
    try:
        return decoder.decode(raw)
    except (ValueError, RecursionError) as error:
        raise wrong(path + name, error) from error


def whole(ask: Ask, decoder: msgspec.json.Decoder[T]) -> T:
    """A request as a type. Raises BadRequest naming the member that does not fit."""
    try:
        return decoder.decode(ask.body)
    except (ValueError, RecursionError) as error:
        raise wrong("", error) from error


def shaped(value: object, kind: type[T], path: str) -> T:
    """A part of a request as a type. Raises like `whole`."""
    try:
        return msgspec.convert(value, kind)
    except (ValueError, RecursionError) as error:
        raise wrong(path, error) from error


def others(ask: Ask, known: frozenset[str]) -> dict[str, Any]:
    """The top-level members that are not among `known` and say something. Raises BadRequest."""
    found: dict[str, Any] = {}
    for name, place in ask.spans.items():
        if name in known:
            continue
        try:
            value = msgspec.json.decode(ask.body[slice(*place)])
        except (ValueError, RecursionError) as error:
            raise wrong(name, error) from error
        if value is not None:
            found[name] = value
    return found


def wrong(path: str, error: Exception) -> BadRequest:
    """The refusal of the member at `path`, or the one below it that a decoder's `error` names."""
    text = str(error)
    place = _PLACE.search(text)
    below = place[1] if place else ""
    param = path + ("." if path and below and not below.startswith("[") else "") + below
    what = (text[: place.start()] if place else text)[:_SHOWN].replace(" - at `$`", "")
    return refused(param or "body", what[:1].lower() + what[1:], error)


def refused(param: str, why: str, cause: Exception | None = None) -> BadRequest:
    return BadRequest(f"{param}: {why}", cause=cause, data={"param": param})
