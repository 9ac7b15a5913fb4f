"""Attempts to give the model other orders, told by a small model of our own (its data, measures and limits:
`shared/guards/model/CARD.md`).
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence

from shared.guards.borders import Borders
from shared.guards.grouped import grouped
from shared.guards.model.linear import Linear, load
from shared.guards.section import InjectionSection, Place, Who
from shared.guards.verdict import NOTHING, Occasion, Said, Side, Strain, Verdict, Watch

# More than this is looked at in a thread: it would hold up everybody else.
_AT_ONCE = 4_000
_BORDER = 400
# A conversation is sent again with every turn of it.
_KEPT = 8_192


class Injection:
    places: tuple[Place, ...] = ("request",)

    def __init__(self, section: InjectionSection) -> None:
        self._model = load()
        self._threshold = section.threshold
        self._who = frozenset(section.who)
        self._kept: OrderedDict[bytes, bool] = OrderedDict()

    def watch(self, occasion: Occasion) -> Watch:
        return InjectionWatch(self)

    async def attacks(self, texts: Sequence[Said], side: Side) -> bool:
        """Whether one of these texts is an attack. In a reply everybody's words are looked at."""
        wanted = [said for said in texts if side == "reply" or said.who in self._who]
        unknown: list[tuple[bytes, str]] = []
        for text in grouped(wanted):
            key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            known = self._kept.get(key)
            if known:
                return True
            if known is None:
                unknown.append((key, text))
        if sum(len(text) for _, text in unknown) > _AT_ONCE:
            found = await asyncio.to_thread(self._attacks, [text for _, text in unknown])
        else:
            found = self._attacks([text for _, text in unknown])
        for (key, _), bad in zip(unknown, found, strict=True):
            self._keep(key, bad)
        return any(found)

    def _attacks(self, texts: Sequence[str]) -> list[bool]:
        return [is_attack(self._model, text, self._threshold) for text in texts]

    def _keep(self, key: bytes, bad: bool) -> None:
        self._kept[key] = bad
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


class InjectionWatch:
    restores = False

    def __init__(self, guard: Injection) -> None:
        self._guard = guard

    async def check(self, texts: Sequence[Said], side: Side) -> Verdict:
        if not await self._guard.attacks(texts, side):
            return NOTHING
        return Verdict(
            findings=("attack",),
            refusal="it looks like an attempt to give the model other orders",
            untrusted=True,
        )

    def strain(self, who: Who, *, enforced: bool) -> Strain:
        return Borders(self._judge, who, size=_BORDER, holds=enforced)

    async def _judge(self, texts: Sequence[Said]) -> Verdict:
        return await self.check(texts, "reply")


def is_attack(model: Linear, text: str, threshold: float = 0.0) -> bool:
    score, long = model.score(text)
    return score >= (threshold or (model.threshold_long if long else model.threshold))
