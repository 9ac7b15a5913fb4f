"""The top-level members of a JSON object, and where in its bytes their values stand: for reading and splicing
it as it is.

Not a parser: msgspec checks the whole text first, this only walks over what it found.
"""

import re

import msgspec
from msgspec import Raw

from llm_gateway.ask import Span
from llm_gateway.weight import MOST_VALUES, refuse_heavy
from shared.errors import BadRequest

# No request has so many members, nor such names.
_MEMBERS_MAX, _NAME_MAX = 1_024, 1_024
_KEY = re.compile(rb'[\s,{]*+"((?:[^"\\]++|\\.)*+)"\s*+:\s*+')
_END = re.compile(rb"\s*\}\s*")
_decode = msgspec.json.Decoder(dict[str, Raw]).decode


def read(body: bytes, most: int = MOST_VALUES) -> tuple[dict[str, Raw], dict[str, Span]]:
    """The members and their values' places. Raises BadRequest on anything but one JSON object without a
    doubled member, TooLarge where it holds more than `most` values.
    """
    refuse_heavy(body, most)
    try:
        if not body.isascii():
            # What nobody looks into is not checked by the decoder.
            body.decode()
        members = _decode(body)
    except msgspec.ValidationError as error:
        raise BadRequest("the body must be a JSON object", cause=error) from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not valid JSON: {error}", cause=error) from error
    _refuse_names(members)
    return members, _spans(body, members)


def _refuse_names(members: dict[str, Raw]) -> None:
    if len(members) > _MEMBERS_MAX or any(len(name) > _NAME_MAX for name in members):
        raise BadRequest(
            f"the JSON object has more than {_MEMBERS_MAX} members, or one whose name is longer than "
            f"{_NAME_MAX} characters"
        )
    if len({name.casefold() for name in members}) < len(members):
        # Some decoders find a member under its name in any case.
        raise BadRequest("a member stands twice, in upper and lower case: two readers could take two values")


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
