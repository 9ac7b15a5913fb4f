"""Finding an answer by what a question means.

Vectors say what a question is about and little of what it denies or counts: so numbers and negations must be
the same as well.
"""

import re

import msgspec
import numpy as np

from llm_gateway.cache.config import SemanticSection
from llm_gateway.cache.embedder import Builtin, Embedder, Endpoint
from llm_gateway.cache.key import Names, question
from llm_gateway.cache.namespace import Kept, Namespaces, pack
from llm_gateway.cache.place import Place
from llm_gateway.call import Call
from shared.errors import BadRequest, UpstreamFault
from shared.http_client import HttpClient
from shared.redis_client import Redis

_TELLING = re.compile(
    r"\d+(?:[.,]\d+)*|\b(?:no|not|never|none|without|except|cannot|nicht|kein\w*|ohne|pas|sans|sin|ni)\b|n't\b"
)


class Similar:
    def __init__(self, section: SemanticSection, redis: Redis, http: HttpClient) -> None:
        self._section = section
        self._redis = redis
        self._namespaces = Namespaces(section.max_entries)
        self._embedder: Embedder = Endpoint(section.embedder, http) if section.embedder else Builtin()

    async def nearest(self, names: Names, place: Place, call: Call, *, serve: bool) -> tuple[str, Place]:
        """The name of an answer to a question that means the same ("" where there is none), and `place` with
        what it takes to be found that way. Raises Unavailable, RedisError.
        """
        asked = _question(call)
        if asked is None:
            return "", place
        try:
            vector = await self._embedder.vector(asked)
        except UpstreamFault:
            return "", place
        try:
            name, words = names.namespace(call.chat), telling(asked)
        except (ValueError, OverflowError, RecursionError):
            # It holds what no name can be made of, like a number of a hundred digits.
            return "", place
        kept = pack(Kept(place.name, words, vector.astype(np.float16).tobytes()))
        place = msgspec.structs.replace(place, like=name, most=self._section.max_entries, kept=kept)
        if not serve:
            return "", place
        namespace = self._namespaces.get(name)
        await namespace.follow(self._redis, name)
        return namespace.nearest(vector, words, self._section.threshold) or "", place


def telling(text: str) -> str:
    """The numbers and negations of a text, in order."""
    return " ".join(_TELLING.findall(text.lower()))


def _question(call: Call) -> str | None:
    if call.inspection.restores:
        # Placeholders make two callers' questions the same, and the answers hold what they stand for.
        return None
    try:
        return question(call.chat)
    except BadRequest:
        # Whether a request can be understood is for the provider to say that gets it.
        return None
