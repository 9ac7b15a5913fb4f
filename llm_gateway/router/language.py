"""In which script and language a text is, by its letters and its commonest words: a guess for routing, cheap
and without a model.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache

_LOOKED_AT = 600
_WORD = re.compile(r"[^\W\d_]+")
# How Unicode names a letter begins with its script; these are the ones with another common name.
_SCRIPTS = {"cjk": "han", "hiragana": "kana", "katakana": "kana", "halfwidth": "kana"}
_BY_SCRIPT = {
    "kana": "ja", "hangul": "ko", "han": "zh", "greek": "el", "hebrew": "he", "thai": "th", "armenian": "hy",
    "georgian": "ka", "devanagari": "hi", "bengali": "bn", "tamil": "ta", "telugu": "te", "arabic": "ar",
    "cyrillic": "ru",
}  # fmt: skip
_WORDS = {
    "en": "the of and to in is you that it for on with are this be what how i not can my",
    "de": "der die das und ist nicht ich ein eine zu den mit auf für wie was sie es im dem bitte",
    "fr": "le la les et est un une des que pour dans je pas ce qui sur avec vous au comment",
    "es": "el la los las y es un una que de en por con para no se mi cómo qué del",
    "it": "il lo la gli e è un una che di in per con non mi come cosa del della sono",
    "pt": "o a os as e é um uma que de em por com para não se como do da você",
    "nl": "de het een en is van ik niet dat op te zijn met voor wat hoe er aan je mijn",
    "pl": "i w nie na się że do to jest z co jak po dla o czy proszę ten mi od",
    "sv": "och att det är en som på för jag inte med den till av hur vad ett du om kan",
    "tr": "ve bir bu için ne nasıl mi de da ile çok var ben olarak gibi daha değil mu",
}
_VOCABULARY = {language: frozenset(words.split()) for language, words in _WORDS.items()}
_LEAST_WORDS = 2


def script_of(text: str) -> str:
    """The script of most letters (`latin`, `cyrillic`, `han` …), "" where there are none. Japanese is `kana`
    as soon as there is some.
    """
    counted = Counter(_script(letter) for letter in text[:_LOOKED_AT] if letter.isalpha())
    if not counted:
        return ""
    return "kana" if counted["kana"] else counted.most_common(1)[0][0]


def language_of(text: str) -> str:
    """A code of two letters, "" where nothing can be said."""
    script = script_of(text)
    if script != "latin":
        return _BY_SCRIPT.get(script, "")
    words = _WORD.findall(text[:_LOOKED_AT].lower())
    votes = {name: sum(word in known for word in words) for name, known in _VOCABULARY.items()}
    best = max(votes, key=lambda name: votes[name])
    return best if votes[best] >= min(_LEAST_WORDS, len(words)) else ""


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    name = unicodedata.name(letter, "").partition(" ")[0].partition("-")[0].lower()
    return _SCRIPTS.get(name, name)
