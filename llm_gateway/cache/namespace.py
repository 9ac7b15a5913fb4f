"""Questions with one context, as vectors in memory: followed up from Redis, compared all at once."""

from collections import OrderedDict

import msgspec
import numpy as np
from msgspec import Struct

from shared.embed import Vectors
from shared.redis_client import Redis

_FIRST_ROWS = 64
_STEP = 1000
_NAMESPACES = 128


class Kept(Struct, frozen=True, array_like=True):
    """A question in Redis: the name of its answer, its telling words, its vector as float16."""

    answer: str
    telling: str
    vector: bytes


pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Kept).decode


class Namespace:
    def __init__(self, most: int) -> None:
        self._most = most
        self._vectors: Vectors = np.zeros((0, 0), dtype=np.float32)
        self._answers: list[str] = []
        self._telling: list[str] = []
        self._last = b"-"

    async def follow(self, redis: Redis, name: str) -> None:
        """Takes in what any process has added since."""
        while True:
            found = await redis.execute("XRANGE", name, self._last, "+", "COUNT", _STEP)
            for entry_id, fields in found:
                self._last = b"(" + entry_id
                self._add(_unpack(fields[1]))
            if len(found) < _STEP:
                return

    def nearest(self, vector: Vectors, words: str, threshold: float) -> str | None:
        """The name of the answer to the nearest question from `threshold` on with the same telling words."""
        count = len(self._answers)
        if not count or self._vectors.shape[1] != len(vector):
            return None
        # Not `@`: its threads wait for each other longer than one core needs for all of it.
        scores = np.einsum("ij,j->i", self._vectors[:count], vector)
        best = int(scores.argmax())
        if scores[best] >= threshold and self._telling[best] != words:
            fitting = [place for place, told in enumerate(self._telling) if told == words]
            best = max(fitting, key=lambda place: float(scores[place]), default=-1)
        return self._answers[best] if best >= 0 and scores[best] >= threshold else None

    def _add(self, kept: Kept) -> None:
        vector = np.frombuffer(kept.vector, dtype=np.float16).astype(np.float32)
        place = len(self._answers)
        if self._vectors.shape[1] not in (0, len(vector)):
            # The embedder was changed: nothing that another one made can be compared.
            self._answers, self._telling, place = [], [], 0
            self._vectors = np.zeros((0, 0), dtype=np.float32)
        if place >= self._most:
            self._halve()
            place = len(self._answers)
        if place >= len(self._vectors):
            grown = np.zeros((min(max(_FIRST_ROWS, place * 2), self._most), len(vector)), dtype=np.float32)
            if place:
                grown[:place] = self._vectors[:place]
            self._vectors = grown
        self._vectors[place] = vector
        self._answers.append(kept.answer)
        self._telling.append(kept.telling)

    def _halve(self) -> None:
        """The older half goes: the oldest are the first to have run out."""
        gone = len(self._answers) // 2 or 1
        left = len(self._answers) - gone
        self._vectors[:left] = self._vectors[gone : gone + left]
        del self._answers[:gone], self._telling[:gone]


class Namespaces:
    """Those that were asked for last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[str, Namespace] = OrderedDict()

    def get(self, name: str) -> Namespace:
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = Namespace(self._most)
            if len(self._known) > _NAMESPACES:
                self._known.popitem(last=False)
        self._known.move_to_end(name)
        return found
