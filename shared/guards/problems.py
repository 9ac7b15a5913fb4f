"""What is wrong with guards that the types alone cannot see."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

from shared.guards.language import LANGUAGES
from shared.guards.section import (
    PLACES,
    FilesSection,
    GuardSection,
    LanguageSection,
    LengthSection,
    PiiSection,
    Place,
    RegexSection,
    TopicsSection,
    WebhookSection,
)

Section = TypeVar("Section", bound=GuardSection)


def problems(
    sections: Sequence[Section],
    facts: Sequence[str],
    *,
    places: Sequence[Place] = PLACES,
    own: Callable[[Section], Iterator[str]] = lambda _: iter(()),
) -> list[str]:
    """As `[index].field: problem`. `facts` are what a guard may match, `places` where it may look; `own`
    knows what a gateway's own kinds can have wrong.
    """
    found: list[str] = []
    names: dict[str, int] = {}
    for place, section in enumerate(sections):
        first = names.setdefault(section.name, place)
        if first != place:
            found.append(f"[{place}].name: {section.name!r} is already the name of [{first}]")
        told = (*_shared(section, facts, places), *_of_texts(section), *own(section))
        found += [f"[{place}].{problem}" for problem in told]
    return found


def address_problems(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        usable = usable and not (parts.username or parts.password)
    except ValueError:
        usable = False
    if not usable:
        yield "url: must be an http(s) address without credentials"


def _shared(section: GuardSection, facts: Sequence[str], places: Sequence[Place]) -> Iterator[str]:
    if not section.name or not section.name.replace("-", "").replace("_", "").isalnum():
        yield "name: letters, digits, - and _: findings and refusals are called by it"
    for fact in section.match:
        if fact not in facts:
            yield f"match.{fact}: unknown (known: {', '.join(facts)})"
    for place in section.on:
        if place not in places:
            yield f"on: there is no {place} to look at here"


def _of_texts(section: GuardSection) -> Iterator[str]:
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
    elif isinstance(section, FilesSection):
        if not section.types and not section.max_bytes and section.links:
            yield "types: set this, `max_bytes` or `links: false`, or it refuses nothing"
    elif isinstance(section, WebhookSection):
        yield from address_problems(section.url)


def _pii(section: PiiSection) -> Iterator[str]:
    # Loads the detector, for those who use it.
    from shared.guards.pii import entity_problems

    yield from entity_problems(section.entities, section.locale)
    if not section.entities:
        yield "entities: name at least one"
    if section.action == "tokenise" and section.on:
        yield "on: leave it empty: what is replaced in a request has to be put back into its reply"


def _regex(section: RegexSection) -> Iterator[str]:
    if not section.patterns:
        yield "patterns: name at least one"
        return
    # Loads the engine, for those who use it.
    from shared.guards.patterns import pattern_problem

    for place, expression in enumerate(section.patterns):
        problem = pattern_problem(expression.pattern)
        if problem:
            yield f"patterns[{place}].pattern: {problem}"


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
