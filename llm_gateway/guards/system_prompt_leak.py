"""A reply that says the system prompt again: told by runs of words that both have."""

import re
from collections.abc import Iterable, Sequence

from llm_gateway.chat.parts import Text
from llm_gateway.chat.request import Chat
from llm_gateway.guards.occasion import ChatOccasion
from llm_gateway.guards.section import SystemPromptSection
from shared.guards.fold import fold
from shared.guards.section import Place, Who
from shared.guards.verdict import NOTHING, Passage, Said, Side, Verdict, Watch

_WORDS = re.compile(r"\w+")
Shingle = tuple[str, ...]
_FOUND = "repeated"
_REFUSAL = "it repeats the instructions that the model was given"


class SystemPromptLeak:
    places: tuple[Place, ...] = ("reply", "stream")

    def __init__(self, section: SystemPromptSection, *_: object) -> None:
        self._section = section

    def watch(self, occasion: ChatOccasion) -> Watch:
        return LeakWatch(_secret(occasion.chat, self._section.words), self._section)


class LeakWatch:
    """`secret` holds every run of so many words of the system prompt."""

    restores = False

    def __init__(self, secret: frozenset[Shingle], section: SystemPromptSection) -> None:
        self._secret = secret
        self._size = section.words
        # A prompt that has fewer runs than would count leaks when all of it is said.
        self._most = min(section.runs, len(secret))

    async def check(self, texts: Sequence[Said], side: Side) -> Verdict:
        if not self._secret or side == "request":
            return NOTHING
        shown = set().union(*(self._shown(_words(said.text)) for said in texts))
        return Verdict(findings=(_FOUND,), refusal=_REFUSAL) if len(shown) >= self._most else NOTHING

    def strain(self, who: Who, *, enforced: bool) -> "Overheard":
        return Overheard(self)

    def leaks(self, shown: set[Shingle], words: Sequence[str]) -> bool:
        """Whether there are enough runs now that these words are said too; `shown` takes them up."""
        if self._secret:
            shown |= self._shown(words)
        return bool(self._secret) and len(shown) >= self._most

    @property
    def size(self) -> int:
        return self._size

    def _shown(self, words: Sequence[str]) -> set[Shingle]:
        return {run for run in _runs(words, self._size) if run in self._secret}


class Overheard:
    """A stream: nothing is held, it ends where it has said too much. Its last word may not be complete."""

    held = ""

    def __init__(self, watch: LeakWatch) -> None:
        self._watch = watch
        self._shown: set[Shingle] = set()
        self._words: list[str] = []
        self._rest = ""

    async def feed(self, text: str) -> Passage:
        given = self._rest + text
        at = len(given) - len(given.rstrip()) or -1
        complete, _, self._rest = given.rpartition(" ") if at < 0 else (given, "", "")
        return self._heard(complete, text)

    async def end(self) -> Passage:
        return self._heard(self._rest, "")

    def _heard(self, complete: str, text: str) -> Passage:
        self._words += _words(complete)
        leaks = self._watch.leaks(self._shown, self._words)
        del self._words[: max(0, len(self._words) - self._watch.size + 1)]
        if leaks:
            return Passage(findings=(_FOUND,), refusal=_REFUSAL)
        return Passage(text=text)


def _secret(chat: Chat, size: int) -> frozenset[Shingle]:
    system = (
        part.text
        for message in chat.messages
        if message.role == "system"
        for part in message.parts
        if isinstance(part, Text)
    )
    return frozenset(_runs(_words(" ".join(system)), size))


def _runs(words: Sequence[str], size: int) -> Iterable[Shingle]:
    return zip(*(words[start:] for start in range(size)), strict=False)


def _words(text: str) -> list[str]:
    return _WORDS.findall(fold(text).text.casefold())
