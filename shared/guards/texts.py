"""The texts of anything that can be walked, and how changed ones get back to their places.

A walk visits every text of a whole and puts what it is told in its place: one function finds and replaces.
"""

import base64
import re
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from shared.errors import BadRequest, UpstreamBroken
from shared.guards.verdict import Attachment, Said
from shared.jsonrpc import refuse_duplicates

# Told a text, says what is to stand there.
See = Callable[[Said], str]
Whole = TypeVar("Whole")
Item = TypeVar("Item")
# Gives the very same object back where nothing has changed.
Walk = Callable[[Whole, See], Whole]
# What lies deeper in JSON is looked at as it is written.
_DEPTH = 32
# Shorter numbers are nobody's account.
_DIGITS = 6
_BASE64 = re.compile("[A-Za-z0-9+/_-]*={0,2}")
_TEXTUAL = ("text/", "application/json", "application/xml", "application/yaml", "application/x-yaml")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
# What names something has no blanks in it.
_NAMING = re.compile(r"(?i:data:\S*)|\S{0,2048}")
_PLAIN = str.maketrans("-_", "+/")


def texts_of(whole: Whole, walk: Walk[Whole]) -> list[Said]:
    """Raises RecursionError for what is nested too deep."""
    found: list[Said] = []

    def see(said: Said) -> str:
        found.append(said)
        return said.text

    walk(whole, see)
    return found


def with_texts(whole: Whole, changes: dict[int, str], walk: Walk[Whole]) -> Whole:
    """`whole` with the texts at these places of `texts_of` replaced."""
    place = -1

    def see(said: Said) -> str:
        nonlocal place
        place += 1
        return changes.get(place, said.text)

    return walk(whole, see)


def opened(raw: Raw | bytes, whose: str) -> dict[str, Any]:
    """A JSON object of `whose` making. Raises UpstreamBroken for what is none, and for what two readers could
    read in two ways: guards would look at one of them.
    """
    try:
        refuse_duplicates(bytes(raw))
        value = msgspec.json.decode(raw)
    except (BadRequest, ValueError, RecursionError) as error:
        raise UpstreamBroken(
            f"the {whose}'s answer cannot be looked at: it is no JSON, or a key stands twice in it",
            cause=error,
        ) from error
    if not isinstance(value, dict):
        raise UpstreamBroken(f"the {whose} answered with something that is no object")
    return value


def each(items: tuple[Item, ...], visit: Callable[[int, Item], Item]) -> tuple[Item, ...]:
    """The items as `visit` leaves them; the very same tuple where nothing has changed."""
    seen = tuple(visit(place, item) for place, item in enumerate(items))
    return items if all(new is old for new, old in zip(seen, items, strict=True)) else seen


def leaves(value: Any, here: Said, see: See, depth: int = 0) -> Any:
    """JSON with its strings, its names and its long numbers as `see` leaves them; the same object where
    nothing has changed.
    """
    if isinstance(value, str):
        text = see(replace(here, text=value))
        return value if text == value else text
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, here, see)
    if depth >= _DEPTH and isinstance(value, dict | list):
        return _deep(value, here, see)
    if isinstance(value, dict):
        pairs = {
            leaves(name, here, see, depth): leaves(item, here, see, depth + 1) for name, item in value.items()
        }
        same = len(pairs) == len(value) and all(
            name in value and value[name] is pairs[name] for name in pairs
        )
        return value if same else pairs
    if isinstance(value, list):
        items = [leaves(item, here, see, depth + 1) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def members(value: dict[str, Any], visit: Callable[[str, Any], Any]) -> dict[str, Any]:
    """An object with its members as `visit` leaves them; the same one where nothing has changed."""
    seen = {name: visit(name, item) for name, item in value.items()}
    return value if all(seen[name] is item for name, item in value.items()) else seen


def elements(value: list[Any], visit: Callable[[Any], Any]) -> list[Any]:
    """The same for a list."""
    seen = [visit(item) for item in value]
    return value if all(new is old for new, old in zip(seen, value, strict=True)) else seen


def naming(value: Any, here: Said, see: See) -> Any:
    """What only names something, as it is. What could be words in its place is looked at like any other."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return elements(value, lambda each: naming(each, here, see))
    if not isinstance(value, str) or not _NAMING.fullmatch(value):
        return leaves(value, here, see)
    return _inline(value, here, see) if value[:5].lower() == "data:" else value


def _inline(address: str, here: Said, see: See) -> str:
    """A file that stands in the place of its address (RFC 2397)."""
    head, _, written = address.partition(",")
    given = unquote(written)
    if head.lower().endswith(";base64"):
        seen = file_text(given, head[5:], here, see)
    else:
        seen = see(replace(here, text=given))
    return address if seen == given else f"{head},{quote(seen)}"


def file_text(data: str, media_type: str, here: Said, see: See) -> str:
    """A file in base64 as `see` leaves what stands in it, where that is text, whatever it is said to be; the
    same where it is none.
    """
    given = _decoded(data, media_type)
    return _seen(data, given, here, see) if given else data


def attached(data: str, media_type: str, here: Said, see: See) -> str:
    """The same where every file is shown, also one without a word in it."""
    here = replace(here, file=Attachment(media_type, _size(data)))
    return _seen(data, _decoded(data, media_type), here, see)


def _seen(data: str, given: str, here: Said, see: See) -> str:
    text = see(replace(here, text=given))
    return data if text == given else base64.b64encode(text.encode()).decode()


def _decoded(data: str, media_type: str) -> str:
    """The text of a file, "" where it is none. Both alphabets, with padding and without. What calls itself
    text is read as such, with a few bytes that are none in it.
    """
    try:
        raw = base64.b64decode(data.translate(_PLAIN) + "==")
        if raw[:2] in _UTF_16:
            return raw.decode("utf-16")
        errors = "replace" if media_type.strip().lower().startswith(_TEXTUAL) else "strict"
        return raw.decode("utf-8", errors)
    except ValueError:
        return ""


def _size(data: str) -> int:
    """In bytes, without decoding it; -1 where it cannot be decoded."""
    digits = len(data.rstrip("=")) if _BASE64.fullmatch(data) else 1
    return digits * 3 // 4 if digits % 4 != 1 else -1


def _number(value: int | float, here: Said, see: See) -> Any:
    written = str(value)
    if len(written) < _DIGITS:
        return value
    seen = see(replace(here, text=written))
    return value if seen == written else seen


def _deep(value: Any, here: Said, see: See) -> Any:
    written = msgspec.json.encode(value).decode()
    seen = see(replace(here, text=written))
    return value if seen == written else _read(seen)


def _read(written: str) -> Any:
    """What stands there now, as it was: JSON, unless what was taken out has broken it."""
    try:
        return msgspec.json.decode(written)
    except (ValueError, RecursionError):
        return written
