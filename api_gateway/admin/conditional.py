"""ETag and If-Match (RFC 9110 section 13): of two who change the same thing at once, one is told so."""

from hashlib import sha256

from api_gateway.admin import Ask
from shared.errors import BadRequest


class Changed(BadRequest):
    """What the caller has seen is not what is there any more."""

    status = 412


class MustSay(BadRequest):
    """A change has to say which state it is a change of (RFC 6585)."""

    status = 428


def digest(content: bytes) -> str:
    """What tells one state of an object from another, by what is kept of it."""
    return sha256(content).hexdigest()[:32]


def quoted(state: str | int) -> str:
    """A digest or a version, as the headers have it."""
    return f'"{state}"'


def etag(content: bytes) -> str:
    return quoted(digest(content))


def expected(ask: Ask) -> int | None:
    """The version that the caller has seen; None where they do not say (or say `*`). Raises BadRequest."""
    text = ask.if_match.strip()
    if text in ("", "*"):
        return None
    if len(text) < 3 or text[0] != '"' or text[-1] != '"' or not text[1:-1].isdecimal() or len(text) > 20:
        raise BadRequest('if-match: send the etag as it was given, like "7"')
    return int(text[1:-1])
