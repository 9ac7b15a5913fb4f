"""How many values a JSON body holds, before anybody takes it apart: the size in bytes does not tell how long
that keeps everybody else waiting.
"""

import re
from itertools import islice

from shared.errors import TooLarge

# A conversation of some five thousand turns with tools.
MOST_VALUES = 100_000
# Nothing shorter can hold so much.
_LIGHT = 2 * MOST_VALUES
_TEXT_OR_VALUE = re.compile(rb'"[^"]*"|[,\[{]')
_STARTS = (b",", b"[", b"{")


def refuse_heavy(body: bytes, most: int = MOST_VALUES) -> None:
    """Raises TooLarge. What is no JSON may be counted wrongly: somebody else refuses that."""
    if len(body) <= _LIGHT or sum(map(body.count, _STARTS)) <= most:
        return
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    found = (match for match in _TEXT_OR_VALUE.finditer(body) if body[match.start()] != 34)
    if sum(1 for _ in islice(found, most + 1)) > most:
        raise TooLarge(f"the body holds more than {most} values, however short they are; send less at once")
