"""Is a call hard or easy? A score from 0 to 1, from what a text looks like and which example prompts it is
close to: cheap enough to run before every call, and told to the operator with the decision.
"""

import math
import re

import numpy as np

from llm_gateway.chat.request import Chat
from llm_gateway.router.examples import EASY, HARD
from llm_gateway.router.prompt import last_words
from llm_gateway.router.section import ClassifierSection
from shared.embed import Vectors, embed, embed_one

_CODE = re.compile(
    r"```|^\s*(?:def|class|fn|func|import|from|#include|public|SELECT|CREATE)\b"
    r"|[{};]\s*$|=>|::|Traceback|\bstack trace\b",
    re.MULTILINE,
)
_MATH = re.compile(
    r"\\(?:frac|sum|int|begin|sqrt)|[∑∫√∂≤≥∈∀∃]|\d\s*[\^*/=]\s*\d|\b(?:prove|derive|integral|equation|theorem|matrix)\b",
    re.I,
)
_DEEP = re.compile(
    r"\b(?:why|how|explain|compare|design|analy[sz]e|plan|debug|refactor|optimi[sz]e|evaluate|trade-?offs?"
    r"|step by step|root cause|architecture|strategy"
    r"|warum|wieso|erkläre|pourquoi|expliquer?|por qué|explica)\b",
    re.I,
)
_LIGHT = re.compile(
    r"^\s*(?:hi|hello|hey|thanks?|thank you|ok|yes|no|hallo|danke|bonjour|merci|hola|gracias)\b"
    r"|\b(?:translate|synonym|capital of|spelling|rhyme|convert)\b",
    re.I,
)
_LONG_WORDS = 120
_NEAREST = 3
# How much each of them says, and where a text of which nothing is known stands. Set by hand on the examples.
_WEIGHTS = {"length": 1.2, "code": 1.4, "math": 1.4, "deep": 1.0, "light": -1.4, "near": 6.0}
_START = -0.4


class Classifier:
    """Loads the embedding model; half a second, once, before any call is served."""

    def __init__(self, section: ClassifierSection) -> None:
        self.section = section
        self._hard = embed([*HARD, *section.examples.hard])
        self._easy = embed([*EASY, *section.examples.easy])

    def score(self, chat: Chat) -> float:
        """From 0 (easy) to 1 (hard)."""
        text = last_words(chat)
        said = features(text)
        if text:
            said["near"] = self._nearer(text)
        total = _START + sum(_WEIGHTS[name] * value for name, value in said.items())
        return 1.0 / (1.0 + math.exp(-total))

    def _nearer(self, text: str) -> float:
        """How much closer `text` is to hard prompts than to easy ones, from -1 to 1."""
        vector = embed_one(text)
        return _closeness(self._hard, vector) - _closeness(self._easy, vector)


def features(text: str) -> dict[str, float]:
    """Each from 0 to 1."""
    words = len(text.split())
    return {
        "length": min(1.0, words / _LONG_WORDS),
        "code": min(1.0, len(_CODE.findall(text)) / 2),
        "math": min(1.0, len(_MATH.findall(text)) / 2),
        "deep": min(1.0, len(_DEEP.findall(text)) / 2),
        "light": 1.0 if _LIGHT.search(text) else 0.0,
    }


def _closeness(examples: Vectors, vector: Vectors) -> float:
    nearest = np.sort(examples @ vector)[-_NEAREST:]
    return float(nearest.mean())
