"""Personal data: found, refused, redacted, or kept from the provider and put back into its reply.

What can be told by its form: addresses of mail, numbers of telephones, cards, accounts and machines. Names
cannot.
"""

import re
from collections.abc import Iterator, Sequence

import datafog_core
import msgspec

from shared.guards.section import PiiSection, Place, Who
from shared.guards.spans import Span, SpanWatch
from shared.guards.verdict import Occasion, Passage, Said, Side, Strain, Verdict, Watch

# What may stand inside a mail address, a token or an IPv6 address, and between the digits of a number.
_WORD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-'@:!#$&*/=?^`{|}~"
_NUMBER = "0123456789 \t\u00a0().+-/"
_DIGIT = re.compile("[0-9]")
_MORE = re.compile("(?:[ .-][0-9]{4,})+")
# No address is longer than 254 characters; a run that is, is no address.
_LONGEST = 320
PLACEHOLDER = re.compile(r"\[([A-Z_]+)_(\d+)\]")


class Pii:
    places: tuple[Place, ...] = ("request", "reply", "stream")

    def __init__(self, section: PiiSection, *_: object) -> None:
        self._action = section.action
        self._finder = PiiFinder(section.entities, section.locale, section.allow)

    def watch(self, occasion: Occasion) -> Watch:
        if self._action == "tokenise":
            return TokeniseWatch(self._finder, occasion)
        return SpanWatch(self._finder, _placeholder if self._action == "redact" else None)


class PiiFinder:
    longest = _LONGEST

    def __init__(self, entities: Sequence[str], locale: str, allow: Sequence[str]) -> None:
        self._config: datafog_core._ScanConfig = {"entities": list(entities)}
        if locale:
            self._config["locale"] = locale
        if "UUID" in entities:
            self._config["detect_uuid"] = True
        self._allow = frozenset(value.casefold() for value in allow)

    def find(self, text: str) -> list[Span]:
        # Lone surrogates are no Unicode and nothing that the detector takes; they are no part of a find
        # either.
        given = text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
        spans: list[Span] = []
        for found in datafog_core.scan(given, self._config):
            place = found.codepoint_range
            if found.matched_text.casefold() in self._allow or (spans and place.start < spans[-1].end):
                continue
            spans.append(Span(place.start, _run_end(given, place.end), found.entity_type))
        return spans

    def open(self, text: str) -> int:
        """A word at the end, and the groups of digits before it where it may belong to them."""
        tail = text[-self.longest - 1 :]
        start = len(tail.rstrip(_WORD))
        while start == len(tail) or _DIGIT.search(tail, start):
            before = len(tail[:start].rstrip(_NUMBER))
            if not _DIGIT.search(tail, before, start):
                break
            # The groups of an account's number may begin with letters.
            start = len(tail[:before].rstrip(_WORD))
        return len(text) - len(tail) + start


def entity_problems(entities: Sequence[str], locale: str) -> Iterator[str]:
    """What of these cannot be found, as `field: problem`."""
    known = datafog_core.capabilities()["entities"]
    for entity in entities:
        capability = known.get(entity)
        if capability is None or "text" not in capability["scopes"]:
            yield f"entities: {entity!r} is none that can be found in a text"
        elif capability["activation"]["kind"] == "locale" and not locale:
            yield f"entities: {entity!r} is found with a locale only"


def _run_end(text: str, end: int) -> int:
    """Where the groups of digits after a find have ended: two numbers side by side are taken apart in the
    wrong place, and what is left over is still somebody's.
    """
    more = _MORE.match(text, end) if text[end - 1].isdigit() else None
    return more.end() if more is not None else end


def _placeholder(what: str, value: str) -> str:
    return f"[{what}]"


class TokeniseWatch:
    """What is found in the request is replaced by placeholders, the same for the same value, and they by what
    they stand for in the reply. Known to this call only. Thinking keeps its placeholders: it is signed as it
    is.
    """

    def __init__(self, finder: PiiFinder, occasion: Occasion) -> None:
        self._finder = finder
        self._json = occasion.json
        self._placeholders: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._taken: frozenset[str] = frozenset()

    @property
    def restores(self) -> bool:
        return bool(self._values)

    async def check(self, texts: Sequence[Said], side: Side) -> Verdict:
        if side == "request":
            self._taken = frozenset(
                match[0]
                for said in texts
                if said.who != "thinking"
                for match in PLACEHOLDER.finditer(said.text)
            )
            return await SpanWatch(self._finder, self._placeholder).check(texts, side)
        if not self._values:
            return Verdict()
        changed = {
            place: restored
            for place, said in enumerate(texts)
            if said.who != "thinking"
            and (restored := self._restored(said.text, said.json or (self._json and said.who == "assistant")))
            != said.text
        }
        return Verdict(texts=changed)

    def strain(self, who: Who, *, enforced: bool) -> Strain:
        values = {} if who == "thinking" else self._values
        if self._json and who == "assistant":
            values = {name: _escaped(value) for name, value in values.items()}
        return Restore(values)

    def _placeholder(self, what: str, value: str) -> str:
        known = self._placeholders.get(value)
        while known is None:
            self._counts[what] = count = self._counts.get(what, 0) + 1
            wanted = f"[{what}_{count}]"
            if wanted not in self._taken:
                known = wanted
        self._placeholders[value] = known
        self._values[known] = value
        return known

    def _restored(self, text: str, json: bool) -> str:
        return restored(
            text, {name: _escaped(value) for name, value in self._values.items()} if json else self._values
        )


def restored(text: str, values: dict[str, str]) -> str:
    return PLACEHOLDER.sub(lambda match: values.get(match[0], match[0]), text)


class Restore:
    """Placeholders into what they stand for, in a stream; held back is what may be the beginning of one."""

    def __init__(self, values: dict[str, str]) -> None:
        self.held = ""
        self._values = values
        self._longest = max(map(len, values), default=0)

    async def feed(self, text: str) -> Passage:
        if not self._values:
            return Passage(text=text)
        text = self.held + text
        cut = self._cut(text)
        self.held = text[cut:]
        return self._restored(text[:cut])

    async def end(self) -> Passage:
        rest, self.held = self.held, ""
        return self._restored(rest)

    def _cut(self, text: str) -> int:
        at = text.rfind("[", max(0, len(text) - self._longest))
        if at < 0:
            return len(text)
        return (
            at
            if any(name.startswith(text[at:]) and name != text[at:] for name in self._values)
            else len(text)
        )

    def _restored(self, text: str) -> Passage:
        made = restored(text, self._values)
        return Passage(text=made, changed=made != text)


def _escaped(value: str) -> str:
    return msgspec.json.encode(value)[1:-1].decode()
