"""Which group of targets a call is for, by what it is: rules first, then the classifier, and of what is left
for the main group a share to the canary.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from llm_gateway.chat.request import Chat
from llm_gateway.router import canary
from llm_gateway.router.conditions import compiled
from llm_gateway.router.facts import Asked
from llm_gateway.router.section import MAIN, ClassifierSection, RoutingSection
from shared.errors import BadRequest
from shared.identity.principal import Caller


class Chosen(NamedTuple):
    """`why` is "" where nothing but the main group was there to choose."""

    group: str
    why: str


class Scorer(Protocol):
    section: ClassifierSection

    def score(self, chat: Chat) -> float:
        """From 0 (easy) to 1 (hard)."""
        ...


class Task:
    """One model's. `classifier` is None where its routing has none."""

    def __init__(self, section: RoutingSection, model: str, classifier: Scorer | None) -> None:
        self._rules = [(compiled(rule.when), rule.to) for rule in section.rules]
        self._classifier = classifier
        self._canary = section.canary
        self._asked = compiled(section.canary.when) if section.canary and section.canary.when else None
        self._model = model

    def choose(self, facts: Mapping[str, Any], call: Asked, caller: Caller) -> Chosen:
        """A condition that cannot be evaluated does not hold, a call that cannot be read is not
        classified.
        """
        for number, (condition, to) in enumerate(self._rules):
            if condition.holds(facts, unknown=False):
                return Chosen(to, f"rule {number}")
        found = self._classified(call)
        return self._canaried(facts, caller) or found if found.group == MAIN else found

    def _classified(self, call: Asked) -> Chosen:
        classifier = self._classifier
        if classifier is None:
            return Chosen(MAIN, "")
        try:
            score = classifier.score(call.chat)
        except BadRequest:
            return Chosen(MAIN, "unreadable")
        section = classifier.section
        hard = score >= section.threshold
        return Chosen(section.hard if hard else section.easy, f"{'hard' if hard else 'easy'} {score:.2f}")

    def _canaried(self, facts: Mapping[str, Any], caller: Caller) -> Chosen | None:
        if self._canary is None:
            return None
        if self._asked is not None and self._asked.holds(facts, unknown=False):
            return Chosen(self._canary.to, "canary by condition")
        if canary.chosen(self._canary, self._model, caller):
            return Chosen(self._canary.to, "canary")
        return None
