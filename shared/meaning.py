"""Which texts mean something like another, for searches: static embeddings in this process, loaded by whoever
searches first.
"""

import asyncio
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.embed import Vectors

# How alike two texts have to be where they have no word in common.
_ALIKE = 0.2
_MOST, _LONGEST = 8_192, 400


class Meaning:
    """Reads the first 400 characters of a text. Remembers the vectors of at most `most` (1 KiB each): those
    that were compared last.
    """

    def __init__(self, *, most: int = _MOST) -> None:
        self._most = most
        self._known: dict[str, Vectors] = {}
        self._turn = asyncio.Lock()

    async def alike(self, text: str, others: Sequence[str]) -> list[int]:
        """The places of `others` that mean something alike, most alike first; none where no model is
        installed.
        """
        if not others:
            return []
        # One at a time: several that come first together would each load the model.
        async with self._turn:
            return await asyncio.to_thread(self._alike, text, [other[:_LONGEST] for other in others])

    def _alike(self, text: str, others: Sequence[str]) -> list[int]:
        known = self._known
        fresh = [other for other in dict.fromkeys(others) if other not in known]
        try:
            # A second and 90 MB: only where somebody searches.
            from shared.embed import embed

            [wanted, *vectors] = embed([text, *fresh])
        except ImportError:
            return []
        # Copied: a row on its own does not keep all the others of its search in memory.
        new = {other: vector.copy() for other, vector in zip(fresh, vectors, strict=True)}
        compared = {other: known[other] if other in known else new[other] for other in others}
        earlier = ((other, vector) for other, vector in known.items() if other not in compared)
        self._known = dict(itertools.islice(itertools.chain(compared.items(), earlier), self._most))
        likeness = [float(compared[other] @ wanted) for other in others]
        return sorted((n for n, value in enumerate(likeness) if value >= _ALIKE), key=lambda n: -likeness[n])
