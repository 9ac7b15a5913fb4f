"""Vectors in memory, and which of them are near to another one: the same that comparing with all of each
would find, mostly from an eighth of each.
"""

import numpy as np
from numpy.typing import NDArray

from shared.embed import Vectors

Places = NDArray[np.intp]
_FIRST_ROWS = 64
# So many rows at once: BLAS would share more among threads, which wait for each other longer than one core
# needs for all of it.
_BLOCK = 32
# More than float32 loses over the thousands of products that make one score.
_ROUNDING = 1e-3
# Fewer than one in so many are fetched row by row; beyond that, all are read in their order.
_FEW = 16


class Rows:
    """Vectors of one width. The first eighth of each lies apart from its rest, whose length is kept: two
    rests add no more to a score than the product of their lengths (Cauchy and Schwarz), so that most vectors
    are known to be too far off without them.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._cut = -(-width // 8)
        self._count = 0
        self._heads: Vectors = np.zeros((0, self._cut), dtype=np.float32)
        self._rests: Vectors = np.zeros((0, width - self._cut), dtype=np.float32)
        self._lengths: Vectors = np.zeros(0, dtype=np.float32)

    def __len__(self) -> int:
        return self._count

    def add(self, vector: Vectors) -> None:
        place = self._count
        if place == len(self._heads):
            # Blocks are whole.
            more = max(_FIRST_ROWS, place)
            self._heads, self._rests, self._lengths = (
                np.concatenate([kept, np.zeros((more, *kept.shape[1:]), dtype=np.float32)])
                for kept in (self._heads, self._rests, self._lengths)
            )
        self._heads[place], self._rests[place] = vector[: self._cut], vector[self._cut :]
        self._lengths[place] = np.linalg.norm(self._rests[place])
        self._count += 1

    def drop(self, gone: int) -> None:
        """The first `gone` go, the others move up."""
        left = self._count - gone
        for kept in (self._heads, self._rests, self._lengths):
            kept[:left] = kept[gone : self._count]
        self._count = left

    def near(self, vector: Vectors, threshold: float) -> tuple[Places, Vectors]:
        """The places of all whose product with `vector`, which has their width, is `threshold` or more, and
        these products.
        """
        head, rest, count = vector[: self._cut], vector[self._cut :], self._count
        blocks = self._heads.reshape(len(self._heads) // _BLOCK, _BLOCK, self._cut)
        heads = np.matmul(blocks, head).reshape(-1)[:count]
        most = heads + self._lengths[:count] * np.linalg.norm(rest)
        places = np.flatnonzero(most >= threshold - _ROUNDING)
        if len(places) * _FEW < count:
            rests = np.einsum("ij,j->i", self._rests[places], rest)
        else:
            rests = np.einsum("ij,j->i", self._rests[:count], rest)[places]
        scores = heads[places] + rests
        found = scores >= threshold
        return places[found], scores[found]
