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


def etag(content: bytes) -> str:
    """Of what is kept of an object."""
    return f'"{sha256(content).hexdigest()[:32]}"'


def tag(number: int) -> str:
    return f'"{number}"'


def expected(ask: Ask) -> int | None:
    """The version that the caller has seen; None where they do not say (or say `*`). Raises BadRequest."""
    text = ask.if_match.strip()
    if text in ("", "*"):
        return None
    if len(text) < 3 or text[0] != '"' or text[-1] != '"' or not text[1:-1].isdecimal() or len(text) > 20:
        raise BadRequest('if-match: send the etag as it was given, like "7"')
    return int(text[1:-1])
