"""What skills mean, as vectors: computed once for each text, as long as it is on the shelf."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.embed import Vectors

# How alike two texts have to be where they have no word in common.
_ALIKE = 0.2


class Meaning:
    def __init__(self) -> None:
        self._known: dict[str, Vectors] = {}

    async def alike(self, text: str, others: Sequence[str]) -> list[int]:
        """The places of `others` that mean something alike, most alike first; none where no model is
        installed.
        """
        # The first time, the model is loaded.
        return await asyncio.to_thread(self._alike, text, others)

    def _alike(self, text: str, others: Sequence[str]) -> list[int]:
        try:
            # Half a second and 60 MB: only for those who search skills.
            from shared.embed import embed

            fresh = [other for other in dict.fromkeys(others) if other not in self._known]
            [wanted, *vectors] = embed([text, *fresh])
        except ImportError:
            return []
        known = self._known | dict(zip(fresh, vectors, strict=True))
        likeness = [float(known[other] @ wanted) for other in others]
        self._known = known
        return sorted((n for n, value in enumerate(likeness) if value >= _ALIKE), key=lambda n: -likeness[n])
