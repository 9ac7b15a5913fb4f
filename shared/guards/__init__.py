"""Content guards, one file a kind, for the texts of any protocol. What they share is in spans.py (finding
things) and borders.py (judging wholes); a gateway brings what it alone knows: where its texts are.
"""

from collections.abc import Callable
from typing import Any

from shared.guards.files import Files
from shared.guards.language import Language
from shared.guards.length import Length
from shared.guards.section import (
    AnyGuardSection,
    InjectionSection,
    PiiSection,
    RegexSection,
    SecretsSection,
    TopicsSection,
)
from shared.guards.verdict import TextGuard
from shared.guards.webhook import Webhook
from shared.http_client import HttpClient

# A detector, an engine for patterns, numbers in bulk, embeddings: libraries of many megabytes are loaded for
# those who have configured something that needs them.


def _pii(section: PiiSection, http: HttpClient) -> TextGuard:
    from shared.guards.pii import Pii

    return Pii(section)


def _regex(section: RegexSection, http: HttpClient) -> TextGuard:
    from shared.guards.regex import Regex

    return Regex(section)


def _secrets(section: SecretsSection, http: HttpClient) -> TextGuard:
    from shared.guards.secrets import Secrets

    return Secrets(section)


def _injection(section: InjectionSection, http: HttpClient) -> TextGuard:
    from shared.guards.injection import Injection

    return Injection(section)


def _topics(section: TopicsSection, http: HttpClient) -> TextGuard:
    from shared.guards.topics import Topics

    return Topics(section)


# By the `kind` of a section; each takes a section of its own kind.
TEXT_GUARDS: dict[str, Callable[[Any, HttpClient], TextGuard]] = {
    "pii": _pii,
    "injection": _injection,
    "topics": _topics,
    "regex": _regex,
    "secrets": _secrets,
    "length": Length,
    "language": Language,
    "webhook": Webhook,
}
# Those and one for what may come along with texts.
GUARDS = {**TEXT_GUARDS, "files": Files}


def guard_of(section: AnyGuardSection, http: HttpClient) -> TextGuard:
    return GUARDS[str(section.__struct_config__.tag)](section, http)
