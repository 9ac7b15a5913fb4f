"""The top-level members of a JSON object, and where in its bytes their values stand: for reading and splicing
it as it is.

Not a parser: msgspec checks the whole text first, this only walks over what it found.
"""

import re

import msgspec
from msgspec import Raw

from llm_gateway.chat import Span
from shared.errors import BadRequest

_KEY = re.compile(rb'[\s,{]*"((?:[^"\\]|\\.)*)"\s*:\s*')
_END = re.compile(rb"\s*\}\s*")
_decode = msgspec.json.Decoder(dict[str, Raw]).decode


def read(body: bytes) -> tuple[dict[str, Raw], dict[str, Span]]:
    """The members and their values' places. Raises BadRequest on anything but one JSON object without a
    doubled member.
    """
    try:
        members = _decode(body)
    except msgspec.ValidationError as error:
        raise BadRequest("the body must be a JSON object", cause=error) from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not valid JSON: {error}", cause=error) from error
    return members, _spans(body, members)


def _spans(body: bytes, members: dict[str, Raw]) -> dict[str, Span]:
    """Each member's place in turn. Where text and members part ways, a member stands twice: the decoder kept
    only its last value.
    """
    spans: dict[str, Span] = {}
    at = 0
    for name, value in members.items():
        key = _KEY.match(body, at)
        raw = bytes(value)
        if key is None or not body.startswith(raw, key.end()):
            raise _doubled(body, at)
        at = key.end() + len(raw)
        spans[name] = (key.end(), at)
    if members and not _END.fullmatch(body, at):
        raise _doubled(body, at)
    return spans


def _doubled(body: bytes, at: int) -> BadRequest:
    key = _KEY.match(body, at)
    name = key[1][:64].decode("utf-8", "replace") if key else ""
    near = f" near {name!r}" if name else ""
    return BadRequest(f"a member of the JSON object stands twice{near}: two readers could take two values")


def spliced(body: bytes, changes: dict[Span, bytes]) -> bytes:
    """`body` with the bytes at each span replaced; an empty span inserts."""
    parts: list[bytes] = []
    at = 0
    for (start, end), value in sorted(changes.items()):
        parts += (body[at:start], value)
        at = end
    return b"".join((*parts, body[at:]))
