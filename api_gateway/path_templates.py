"""Templates that say which path a service is asked for instead of the one the client sent."""

import re
from collections.abc import Sequence

from msgspec import Struct

_PART = re.compile(r"\{([a-z][a-z0-9_]{0,31})(\*?)\}")
_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()+,=:@%-]+")
Template = tuple["str | Place", ...]


class PathRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`match` and `to` are templates of whole paths: `{name}` is one part, `{name*}` at the end is all the
    rest (none, too). What is caught goes on as it was written.
    """

    match: str
    to: str


class Place(Struct, frozen=True):
    name: str
    rest: bool = False


class Paths:
    """The rules of a route; the first that fits is taken."""

    def __init__(self, rules: Sequence[PathRule]) -> None:
        self._rules = [(_parsed(rule.match), _parsed(rule.to)) for rule in rules]

    def of(self, path: str) -> str | None:
        """What becomes of a path in its escaped form; None where no rule is for it."""
        parts = path.split("/")[1:]
        for match, to in self._rules:
            caught = _caught(match, parts)
            if caught is not None:
                return _filled(to, caught)
        return None


def problems(path: str, rules: Sequence[PathRule]) -> list[str]:
    """What is wrong with them, as `path: problem`."""
    found: list[str] = []
    for number, rule in enumerate(rules):
        here = f"{path}[{number}]"
        wrong = _template_problems(f"{here}.match", rule.match) + _template_problems(f"{here}.to", rule.to)
        if not wrong:
            unknown = _names(rule.to) - _names(rule.match)
            wrong = [f"{here}.to: {{{name}}} is not caught by match" for name in sorted(unknown)]
        found += wrong
    return found


def _template_problems(path: str, template: str) -> list[str]:
    parts = template.split("/")
    if parts[0] or len(parts) < 2 or (template != "/" and "" in parts[1:]):
        return [f"{path}: {template!r} must start with / and have no empty part"]
    found, seen = [], set()
    for number, part in enumerate(parts[1:], start=2):
        place = _PART.fullmatch(part)
        if place is None and not _LITERAL.fullmatch(part) and template != "/":
            found.append(f"{path}: {part!r} is neither a plain part nor one {{name}}")
        elif place is not None and place[1] in seen:
            found.append(f"{path}: {{{place[1]}}} stands twice")
        elif place is not None and place[2] and number < len(parts):
            found.append(f"{path}: {part} can only be the last part")
        if place is not None:
            seen.add(place[1])
    if any(part in (".", "..") or "%2" in part.lower() for part in parts):
        found.append(f"{path}: dot segments and escaped separators are read in two ways")
    return found


def _parsed(template: str) -> Template:
    places = ((part, _PART.fullmatch(part)) for part in template.split("/")[1:])
    return tuple(Place(place[1], bool(place[2])) if place else part for part, place in places)


def _names(template: str) -> set[str]:
    return {place[1] for place in _PART.finditer(template)}


def _caught(match: Template, parts: list[str]) -> dict[str, str] | None:
    caught: dict[str, str] = {}
    for number, wanted in enumerate(match):
        if isinstance(wanted, Place) and wanted.rest:
            return caught | {wanted.name: "/".join(parts[number:])}
        if number >= len(parts) or not _fits(wanted, parts[number]):
            return None
        if isinstance(wanted, Place):
            caught[wanted.name] = parts[number]
    return caught if len(parts) == len(match) else None


def _fits(wanted: "str | Place", part: str) -> bool:
    return bool(part) if isinstance(wanted, Place) else wanted == part


def _filled(to: Template, caught: dict[str, str]) -> str:
    parts = (caught[part.name] if isinstance(part, Place) else part for part in to)
    return "/" + "/".join(parts)
