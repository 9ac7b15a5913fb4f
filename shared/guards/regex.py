"""Your own patterns: what they match is refused or replaced."""

from shared.guards.patterns import Patterns
from shared.guards.section import Place, RegexSection
from shared.guards.spans import SpanWatch
from shared.guards.verdict import Occasion, Watch


class Regex:
    places: tuple[Place, ...] = ("request", "reply", "stream")

    def __init__(self, section: RegexSection, *_: object) -> None:
        self._finder = Patterns([(each.name, each.pattern) for each in section.patterns], section.max_match)
        self._replacements = {each.name: each.replacement or f"[{each.name}]" for each in section.patterns}
        self._redacts = section.action == "redact"

    def watch(self, occasion: Occasion) -> Watch:
        return SpanWatch(self._finder, self._replaced if self._redacts else None)

    def _replaced(self, what: str, value: str) -> str:
        return self._replacements[what]
