"""What must not be talked about: told by how near a text is to your examples, by the meaning of its words."""

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import numpy as np

from shared.embed import Vectors, embed
from shared.guards.borders import Borders
from shared.guards.fold import fold
from shared.guards.grouped import grouped
from shared.guards.section import Place, TopicsSection, Who
from shared.guards.verdict import NOTHING, Occasion, Said, Side, Strain, Verdict, Watch

# About as much as an example: in a longer text one sentence would not be noticed.
_WINDOW, _STEP, _SENTENCE, _WORDS = 240, 160, 60, 12
_END = re.compile("[.!?;:。！？]+")
_AT_ONCE = 2_000
_BORDER = 400
_KEPT = 8_192


class Topics:
    places: tuple[Place, ...] = ("request", "reply", "stream")

    def __init__(self, section: TopicsSection) -> None:
        self._names = [topic.name for topic in section.topics for _ in topic.examples]
        self._thresholds = np.array([topic.threshold for topic in section.topics for _ in topic.examples])
        self._examples: Vectors = embed(
            [fold(text).text for topic in section.topics for text in topic.examples]
        )
        self._kept: OrderedDict[bytes, tuple[str, ...]] = OrderedDict()

    def watch(self, occasion: Occasion) -> Watch:
        return TopicsWatch(self, occasion)

    async def found(self, texts: Iterable[Said]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for text in grouped(texts):
            key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            known = self._kept.get(key)
            if known is None:
                known = (
                    await asyncio.to_thread(self._near, text) if len(text) > _AT_ONCE else self._near(text)
                )
                self._kept[key] = known
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            found |= dict.fromkeys(known)
        return tuple(found)

    def _near(self, text: str) -> tuple[str, ...]:
        near = (embed(_windows(text)) @ self._examples.T).max(axis=0) >= self._thresholds
        return tuple(dict.fromkeys(name for name, hit in zip(self._names, near, strict=True) if hit))


class TopicsWatch:
    restores = False

    def __init__(self, guard: Topics, occasion: Occasion) -> None:
        self._guard = guard
        self._looked_at = (*occasion.spoken, "tool")

    async def check(self, texts: Sequence[Said], side: Side) -> Verdict:
        found = await self._guard.found(said for said in texts if said.who in self._looked_at)
        return Verdict(findings=found, refusal=f"it is about {', '.join(found)}") if found else NOTHING

    def strain(self, who: Who, *, enforced: bool) -> Strain:
        return Borders(self._judge, who, size=_BORDER, holds=enforced)

    async def _judge(self, texts: Sequence[Said]) -> Verdict:
        return await self.check(texts, "reply")


def _windows(text: str) -> list[str]:
    """The text in pieces, and its sentences by themselves."""
    # A lone surrogate is nothing that the tokenizer takes.
    plain = " ".join(fold(text).text.split()).encode("utf-8", "replace").decode()
    if len(plain) <= _SENTENCE:
        return [plain]
    pieces = [plain[at : at + _WINDOW] for at in range(0, max(1, len(plain) - _WINDOW + _STEP), _STEP)]
    return [*pieces, *(sentence[:_WINDOW] for sentence in _END.split(plain) if len(sentence) >= _WORDS)]
