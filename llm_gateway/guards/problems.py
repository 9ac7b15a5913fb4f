"""What is wrong with guards that the types alone cannot see."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import datafog_core
import re2  # type: ignore[import-untyped]

from llm_gateway.guards.language import LANGUAGES
from llm_gateway.guards.output_schema import validator
from llm_gateway.guards.patterns import compiled
from llm_gateway.guards.section import (
    FACTS,
    AnyGuardSection,
    JudgeSection,
    LanguageSection,
    LengthSection,
    OutputSchemaSection,
    PiiSection,
    RegexSection,
    SystemPromptSection,
    TopicsSection,
    WebhookSection,
)

_ONLY_REPLIES = (OutputSchemaSection, SystemPromptSection)


def problems(sections: Sequence[AnyGuardSection]) -> list[str]:
    """As `[index].field: problem`."""
    found: list[str] = []
    places: dict[str, int] = {}
    for place, section in enumerate(sections):
        first = places.setdefault(section.name, place)
        if first != place:
            found.append(f"[{place}].name: {section.name!r} is already the name of [{first}]")
        found += [f"[{place}].{problem}" for problem in (*_shared(section), *_own(section))]
    return found


def _shared(section: AnyGuardSection) -> Iterator[str]:
    if not section.name or not section.name.replace("-", "").replace("_", "").isalnum():
        yield "name: letters, digits, - and _: findings and refusals are called by it"
    for fact in section.match:
        if fact not in FACTS:
            yield f"match.{fact}: unknown (known: {', '.join(FACTS)})"
    if "request" in section.on and isinstance(section, _ONLY_REPLIES):
        yield "on: this guard looks at replies only"


def _own(section: AnyGuardSection) -> Iterator[str]:
    if isinstance(section, PiiSection):
        yield from _pii(section)
    elif isinstance(section, RegexSection):
        yield from _regex(section)
    elif isinstance(section, TopicsSection):
        yield from _topics(section)
    elif isinstance(section, LanguageSection):
        yield from _languages(section)
    elif isinstance(section, LengthSection):
        if not section.request and not section.reply:
            yield "request: set this or `reply`, or it limits nothing"
    elif isinstance(section, OutputSchemaSection) and section.schema:
        yield from _schema(section)
    elif isinstance(section, WebhookSection | JudgeSection):
        yield from _address(section)


def _pii(section: PiiSection) -> Iterator[str]:
    known = datafog_core.capabilities()["entities"]
    for entity in section.entities:
        capability = known.get(entity)
        if capability is None or "text" not in capability["scopes"]:
            yield f"entities: {entity!r} is none that can be found in a text"
        elif capability["activation"]["kind"] == "locale" and not section.locale:
            yield f"entities: {entity!r} is found with a locale only"
    if not section.entities:
        yield "entities: name at least one"
    if section.action == "tokenise" and section.on:
        yield "on: leave it empty: what is replaced in a request has to be put back into its reply"


def _regex(section: RegexSection) -> Iterator[str]:
    if not section.patterns:
        yield "patterns: name at least one"
    for place, expression in enumerate(section.patterns):
        try:
            if compiled(expression.pattern).search("") is not None:
                yield f"patterns[{place}].pattern: it matches everywhere, even where there is nothing"
        except re2.error as error:
            what = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
            yield f"patterns[{place}].pattern: RE2 does not take it: {what}"


def _topics(section: TopicsSection) -> Iterator[str]:
    if not section.topics:
        yield "topics: name at least one"
    for place, topic in enumerate(section.topics):
        if not topic.examples or not all(example.strip() for example in topic.examples):
            yield f"topics[{place}].examples: at least one, and none of them empty"


def _languages(section: LanguageSection) -> Iterator[str]:
    if not section.allow and not section.deny:
        yield "allow: set this or `deny`, or it refuses nothing"
    for language in (*section.allow, *section.deny):
        if language not in LANGUAGES:
            yield f"allow: {language!r} cannot be told from others (known: {', '.join(sorted(LANGUAGES))})"


def _schema(section: OutputSchemaSection) -> Iterator[str]:
    try:
        validator(section.schema)
    except ValueError as error:
        yield f"schema: {str(error)[:200]}"


def _address(section: WebhookSection | JudgeSection) -> Iterator[str]:
    try:
        url = urlsplit(section.url)
        usable = url.scheme in ("http", "https") and bool(url.hostname) and not (url.username or url.password)
    except ValueError:
        usable = False
    if not usable:
        yield "url: must be an http(s) address without credentials"
    if isinstance(section, JudgeSection) and not section.key:
        yield "key: a judge needs a virtual key that may use its model"
