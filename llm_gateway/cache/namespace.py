"""Questions with one context, as vectors in memory: followed up from Redis, compared all at once."""

from collections import OrderedDict

import msgspec
import numpy as np
from msgspec import Struct

from llm_gateway.cache.rows import Rows
from shared.embed import Vectors
from shared.redis_client import Redis

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
        self._rows = Rows(0)
        self._answers: list[str] = []
        self._telling: list[str] = []
        self._last = b"-"

    async def follow(self, redis: Redis, name: str) -> None:
        """Takes in what any process has added since."""
        while True:
            last = self._last
            found = await redis.execute("XRANGE", name, last, "+", "COUNT", _STEP)
            if self._last != last:
                # Another call has taken them in while this one waited.
                continue
            for entry_id, fields in found:
                self._last = b"(" + entry_id
                self._add(_unpack(fields[1]))
            if len(found) < _STEP:
                return

    def nearest(self, vector: Vectors, words: str, threshold: float) -> str | None:
        """The name of the answer to the nearest question from `threshold` on with the same telling words."""
        if self._rows.width != len(vector):
            return None
        places, scores = self._rows.near(vector, threshold)
        for place in map(int, places[np.argsort(-scores, kind="stable")]):
            if self._telling[place] == words:
                return self._answers[place]
        return None

    def _add(self, kept: Kept) -> None:
        vector = np.frombuffer(kept.vector, dtype=np.float16).astype(np.float32)
        if self._rows.width != len(vector):
            # The embedder was changed: nothing that another one made can be compared.
            self._rows, self._answers, self._telling = Rows(len(vector)), [], []
        if len(self._rows) >= self._most:
            self._halve()
        self._rows.add(vector)
        self._answers.append(kept.answer)
        self._telling.append(kept.telling)

    def _halve(self) -> None:
        """The older half goes: the oldest are the first to have run out."""
        gone = len(self._answers) // 2 or 1
        self._rows.drop(gone)
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
