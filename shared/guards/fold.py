"""A text as a reader takes it, for patterns and models to look at: compatibility forms made plain, what
cannot be seen left out, borrowed letters put back. Places in it lead back to the text as it was sent.
"""

import re
import unicodedata
from functools import lru_cache

from msgspec import Struct

# Default-ignorable code points: they part a word for a pattern and not for a reader. (UAX #44,
# DerivedCoreProperties)
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U000e0000-\U000e0fff]"
)
# Invisible copies of ASCII that models read as letters all the same.
_TAGS = range(0xE0020, 0xE007F)
# A word of two alphabets is a Latin one with letters borrowed for their looks.
_MIXED = re.compile("[A-Za-z][\u0370-\u03ff\u0400-\u04ff]|[\u0370-\u03ff\u0400-\u04ff][A-Za-z]")
_WORD = re.compile("[A-Za-z\u0370-\u03ff\u0400-\u04ff]+")
_LOOKS = str.maketrans(
    "АВЕЅІЈКМНОРСТХУаеѕіјорсухһԁгΑΒΕΖΗΙΚΜΝΟΡΤΥΧοανρ",
    "ABESIJKMHOPCTXYaesijopcyxhdrABEZHIKMNOPTYXoavp",
)


class Folded(Struct, frozen=True):
    """`origin` holds the place of each character in the text as it was sent; None where they are the same."""

    text: str
    source: str
    origin: list[int] | None = None

    def place(self, index: int) -> int:
        """The place in the source where the folded text's `index` begins."""
        if self.origin is None:
            return index
        return self.origin[index] if index < len(self.origin) else len(self.source)

    def after(self, index: int) -> int:
        """The place in the source where what comes before the folded text's `index` has ended: one character
        may have become several.
        """
        if self.origin is None or index >= len(self.origin):
            return self.place(index)
        at = self.origin[index]
        return at + 1 if index and self.origin[index - 1] == at else at

    def index(self, place: int) -> int:
        """How much of the folded text comes from before this place in the source."""
        if self.origin is None:
            return place
        return next((n for n, at in enumerate(self.origin) if at >= place), len(self.origin))


def fold(text: str) -> Folded:
    if text.isascii() or _plain(text):
        return Folded(text, text)
    pieces: list[str] = []
    origin: list[int] = []
    for place, character in enumerate(_latin(text)):
        piece = _folded(character)
        pieces.append(piece)
        origin += [place] * len(piece)
    return Folded("".join(pieces), text, origin)


def _plain(text: str) -> bool:
    return (
        unicodedata.is_normalized("NFKC", text)
        and _UNSEEN.search(text) is None
        and _MIXED.search(text) is None
    )


def _latin(text: str) -> str:
    if _MIXED.search(text) is None:
        return text
    return _WORD.sub(lambda word: word[0].translate(_LOOKS) if _MIXED.search(word[0]) else word[0], text)


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    code = ord(character)
    if code in _TAGS:
        return chr(code - 0xE0000)
    return "" if _UNSEEN.match(character) else unicodedata.normalize("NFKC", character)
