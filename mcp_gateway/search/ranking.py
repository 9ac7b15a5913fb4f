"""Which tools fit a few words best: BM25 over their names, descriptions and parameters, in plain Python."""

import math
import re
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_]+")
_SATURATION, _LENGTH_WEIGHT = 1.2, 0.6
_NAME_WEIGHT = 4
_LONGEST = 4_000
# fmt: off
_EVERYWHERE = frozenset((
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "for", "from", "in", "into", "is", "it", "of",
    "on", "or", "that", "the", "this", "to", "with", "you", "your",
))
# fmt: on
# Endings that make no difference here, longest first.
_ENDINGS = ("ations", "ation", "ings", "ing", "ies", "ied", "ers", "er", "ed", "es", "e", "s", "y")


class Words(Struct, frozen=True):
    """How often each word stands in a tool's definition, its name counting more."""

    counts: dict[str, int]
    length: int


def words(name: str, text: str) -> Words:
    """`text` is whatever describes the tool."""
    counts = Counter(stemmed(text[:_LONGEST]))
    for word in stemmed(name):
        counts[word] += _NAME_WEIGHT
    return Words(dict(counts), sum(counts.values()))


def stemmed(text: str) -> list[str]:
    """The words of a text without their endings: `listFiles`, `list_files` and "lists a file" agree."""
    found = (word.group().casefold() for word in _WORD.finditer(text))
    return [_stem(word) for word in found if word not in _EVERYWHERE]


def ranked(query: str, documents: Sequence[Words]) -> list[int]:
    """The places of the documents that have any word of `query`, best first, ties in order."""
    wanted = set(stemmed(query))
    if not wanted or not documents:
        return []
    mean = sum(document.length for document in documents) / len(documents) or 1.0
    rarity = {word: _rarity(word, documents) for word in wanted}
    scores = [_score(document, rarity, mean) for document in documents]
    return sorted((n for n, score in enumerate(scores) if score > 0), key=lambda n: -scores[n])


def _rarity(word: str, documents: Sequence[Words]) -> float:
    having = sum(word in document.counts for document in documents)
    return math.log(1 + (len(documents) - having + 0.5) / (having + 0.5))


def _score(document: Words, rarity: dict[str, float], mean: float) -> float:
    norm = _SATURATION * (1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * document.length / mean)
    found = ((weight, document.counts.get(word, 0)) for word, weight in rarity.items())
    return sum(weight * count * (_SATURATION + 1) / (count + norm) for weight, count in found if count)


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word
