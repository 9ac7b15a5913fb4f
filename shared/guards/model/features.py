"""A text as hashed features: its words, pairs of words, and runs of four and five bytes. Training and scoring
share this; whatever changes here needs new weights.
"""

import re
import zlib
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared.guards.fold import fold

BITS = 15
# Words in the first half, runs of bytes in the second.
SIZE = 2 << BITS
# Characters that are looked at in one piece, so that a sentence in a long text counts as much as it does
# alone.
WINDOW = 160
STEP = 107
_MASK = (1 << BITS) - 1
_WORDS = re.compile(r"\w+")
_FNV, _KNUTH = np.uint32(16_777_619), np.uint32(2_654_435_761)

Places = NDArray[np.int64]


def windows(text: str) -> list[str]:
    """The pieces of a text, each beginning before the one before it has ended."""
    plain = " ".join(fold(text).text.lower().split())
    if len(plain) <= WINDOW:
        return [plain] if plain else []
    return [plain[at : at + WINDOW] for at in range(0, len(plain) - WINDOW + STEP, STEP)]


def features(window: str) -> Places:
    """Where its features are, each once."""
    return np.unique(np.concatenate((_words(window), _runs(window))))


def _words(window: str) -> Places:
    words = _WORDS.findall(window)
    grams = [*words, *map(" ".join, pairwise(words))]
    return np.array([zlib.crc32(gram.encode("utf-8", "replace")) & _MASK for gram in grams], dtype=np.int64)


def _runs(window: str) -> Places:
    given = np.frombuffer(f" {window} ".encode("utf-8", "replace"), dtype=np.uint8).astype(np.uint32)
    return np.concatenate([_hashed(given, size) for size in (4, 5)])


def _hashed(given: NDArray[np.uint32], size: int) -> Places:
    count = max(0, len(given) - size + 1)
    mixed = np.zeros(count, dtype=np.uint32)
    for at in range(size):
        mixed = mixed * _FNV ^ given[at : at + count]
    return (mixed * _KNUTH >> np.uint32(32 - BITS)).astype(np.int64) + (1 << BITS)
