"""`WWW-Authenticate` as servers write it: what a Bearer challenge says, and nothing of the other schemes.

Source: RFC 9110 section 11.6.1, RFC 6750 section 3, RFC 9728 section 5.1
"""

import re

from msgspec import Struct

_LONGEST = 4096
_BEARER = re.compile(r"(?:^|,)\s*bearer\s+", re.IGNORECASE)
_PARAMETER = re.compile(r'\s*([a-zA-Z_*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)')
_ESCAPED = re.compile(r"\\(.)")
# RFC 6749 section 3.3: what a scope may be written with.
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,256}")
_MOST_SCOPES = 64


class Challenge(Struct, frozen=True):
    error: str = ""
    scopes: tuple[str, ...] = ()
    resource_metadata: str = ""


def read_challenge(value: str | None) -> Challenge:
    """The Bearer challenge in a header's value; an empty one where there is none that can be read."""
    begins = _BEARER.search(value[:_LONGEST]) if value else None
    if value is None or begins is None:
        return Challenge()
    found: dict[str, str] = {}
    place = begins.end()
    while match := _PARAMETER.match(value[:_LONGEST], place):
        name, quoted, plain = match.groups()
        found.setdefault(name.lower(), plain if quoted is None else _ESCAPED.sub(r"\1", quoted))
        place = match.end()
    return Challenge(
        error=found.get("error", ""),
        scopes=scopes_of(found.get("scope", "")),
        resource_metadata=found.get("resource_metadata", ""),
    )


def scopes_of(text: str) -> tuple[str, ...]:
    """The scopes in a space-delimited list, each once."""
    names = [name for name in text.split(" ") if _SCOPE.fullmatch(name)]
    return tuple(dict.fromkeys(names))[:_MOST_SCOPES]
