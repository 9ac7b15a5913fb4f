"""Hidden instructions in what others wrote for models: characters that nobody sees, and phrases that speak to
the model behind its user's back. Cheap and literal; what it finds is a reason to look, not a proof.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from shared.hidden_instructions.phrases import PHRASES

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u2028\u2029\u2060-\u2064\u206a-\u206f"
    "\u3164\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a]"
)
_TAGS = re.compile("[\U000e0000-\U000e007f]")
_BIDI = re.compile("[\u061c\u202a-\u202e\u2066-\u2069]")
# One of them chooses how the character before it looks; a row of them carries bytes.
_VARIANTS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2}")
# Joiners belong into emoji and some scripts, never between letters of this one.
_JOINED = re.compile("(?<=[\\x00-\\x7f])[\u200c\u200d]|[\u200c\u200d](?=[\\x00-\\x7f])")
_CONTROL = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]")
_CHARACTERS = (
    ("tags", _TAGS),
    ("bidi", _BIDI),
    ("invisible", _INVISIBLE),
    ("invisible", _JOINED),
    ("variants", _VARIANTS),
    ("control", _CONTROL),
)
_DEEPEST = 64
_LONGEST = 65_536


def scanned(definition: bytes, others: Iterable[str] = ()) -> tuple[str, ...]:
    """What is suspicious in any text of a definition, as `hidden:<what>` and `phrase:<what>`.

    `shadow` is said of one that speaks of the tools of `others`, which are other servers. Raises DecodeError,
    and RecursionError for what is nested deeper than anybody would read.
    """
    found: dict[str, None] = {}
    prefixes = tuple(f"{other}__" for other in others)
    for text in _texts(msgspec.json.decode(definition), 0):
        for finding in _of(text[:_LONGEST], prefixes):
            found[finding] = None
        if len(text) > _LONGEST:
            found["long"] = None
    return tuple(found)


def _of(text: str, prefixes: tuple[str, ...]) -> Iterator[str]:
    for name, characters in _CHARACTERS:
        if characters.search(text):
            yield f"hidden:{name}"
    plain = _plain(text)
    for name, phrase in PHRASES:
        if phrase.search(plain):
            yield f"phrase:{name}"
    # Hardly any text has what all of them end with.
    if "__" in plain and any(re.search(rf"(?<![a-z0-9-]){re.escape(prefix)}", plain) for prefix in prefixes):
        yield "shadow"


def _plain(text: str) -> str:
    """`text` as a model reads it: look-alikes folded, what cannot be seen gone, all blanks one."""
    if text.isascii():
        # Nothing looks alike, and nothing here is without a shape.
        return " ".join(text.casefold().split())
    folded = unicodedata.normalize("NFKC", text)
    seen = "".join(
        char for char in folded if unicodedata.category(char) not in ("Cf", "Mn") or char in "\n\t"
    )
    return " ".join(seen.casefold().replace("’", "'").split())


def _texts(value: Any, depth: int) -> Iterator[str]:
    """Every text in a decoded definition, names of members too."""
    if depth > _DEEPEST:
        raise RecursionError(f"nested more than {_DEEPEST} deep")
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from _texts(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, depth + 1)
