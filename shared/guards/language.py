"""In which language a text is: by its script and, for Latin letters, by the small words that each language
needs.

It tells apart ten languages of the Latin alphabet and the scripts of others; a short or a mixed text it
cannot tell.
"""

import re
from collections import Counter
from collections.abc import Sequence

from shared.guards.borders import Borders
from shared.guards.fold import fold
from shared.guards.grouped import grouped
from shared.guards.section import LanguageSection, Place, Who
from shared.guards.verdict import NOTHING, Occasion, Said, Side, Strain, Verdict, Watch

# Languages that share a script are told by letters that only one of them has: first match wins.
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af\u1100-\u11ff]")),
    ("zh", re.compile("[\u4e00-\u9fff\u3400-\u4dbf]")),
    ("uk", re.compile("[їєґЇЄҐ]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("fa", re.compile("[پچژگ]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
)
_SMALL_WORDS = {
    "en": "the and of to is in that it for you with on are this what was how not have be a an can my",
    "de": "der die das und ist nicht ein eine ich zu den mit sich auf für wie sie es von dem wir auch im",
    "fr": "le la les et est une des je pas que qui dans pour vous sur avec ce au du il nous sont un en",
    "es": "el la los las y es una que de en por con para no se lo del como mi está un su más pero",
    "pt": "o os as e é uma que de em por com para não se do da como meu está um na no mais mas você",
    "it": "il lo gli e è una che di in per con non si del della come mi sono un ma più questo anche",
    "nl": "de het een en is niet ik van te dat die op met voor zijn er aan om ook wat hoe wij naar",
    "pl": "i w nie na to jest się że z do jak co za od po ale czy tak przez dla być jego",
    "sv": "och att det är en som på för av jag inte med den till har ett om vi hur vad kan från",
    "tr": "ve bir bu için ne ile de da çok mi var gibi daha ben sen nasıl değil olan kadar",
}
_WORDS = {language: frozenset(words.split()) for language, words in _SMALL_WORDS.items()}
LANGUAGES = frozenset(_WORDS) | {language for language, _ in _SCRIPTS}
_WORD = re.compile(r"[^\W\d_]+")
# Fewer letters or hits say nothing, and neither does a lead that is too small.
_LEAST_LETTERS, _LEAST_HITS, _LEAD = 12, 3, 1.3
_LOOKED_AT, _BORDER = 4_000, 400


class Language:
    places: tuple[Place, ...] = ("request", "reply", "stream")

    def __init__(self, section: LanguageSection, *_: object) -> None:
        self._allow, self._deny = frozenset(section.allow), frozenset(section.deny)

    def watch(self, occasion: Occasion) -> Watch:
        return LanguageWatch(self, occasion)

    def refuses(self, language: str) -> bool:
        return language in self._deny or bool(self._allow and language and language not in self._allow)


class LanguageWatch:
    restores = False

    def __init__(self, guard: Language, occasion: Occasion) -> None:
        self._guard = guard
        self._spoken = occasion.spoken

    async def check(self, texts: Sequence[Said], side: Side) -> Verdict:
        spoken = (language_of(text) for text in grouped(said for said in texts if said.who in self._spoken))
        found = tuple(dict.fromkeys(language for language in spoken if self._guard.refuses(language)))
        return (
            Verdict(findings=found, refusal=f"its language is not allowed: {', '.join(found)}")
            if found
            else NOTHING
        )

    def strain(self, who: Who, *, enforced: bool) -> Strain:
        return Borders(self._judge, who, size=_BORDER, holds=enforced)

    async def _judge(self, texts: Sequence[Said]) -> Verdict:
        return await self.check(texts, "reply")


def language_of(text: str) -> str:
    """Two letters, or nothing where it cannot be told."""
    words = _WORD.findall(fold(text[:_LOOKED_AT]).text.lower())
    letters = sum(map(len, words))
    if letters < _LEAST_LETTERS:
        return _by_script(words) if letters else ""
    return _by_script(words) or _by_small_words(words)


def _by_script(words: Sequence[str]) -> str:
    """Half of the words in a script that few languages have. Words are long where no spaces part them."""
    joined = "".join(words)
    foreign = sum(map(len, (word for word in words if not word.isascii() and word[0] > "\u036f")))
    if foreign * 2 < len(joined):
        return ""
    return next((language for language, letters in _SCRIPTS if letters.search(joined)), "")


def _by_small_words(words: Sequence[str]) -> str:
    hits = Counter({language: sum(word in small for word in words) for language, small in _WORDS.items()})
    (first, most), (_, next_most) = hits.most_common(2)
    return first if most >= _LEAST_HITS and most >= _LEAD * next_most else ""
