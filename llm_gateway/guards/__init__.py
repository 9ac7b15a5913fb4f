"""Content guards: one file a kind. What they share is in spans.py (finding things) and borders.py (judging
wholes).
"""

from collections.abc import Callable
from typing import Any

from llm_gateway.guards.judge import Judge
from llm_gateway.guards.language import Language
from llm_gateway.guards.length import Length
from llm_gateway.guards.output_schema import OutputSchema
from llm_gateway.guards.pii import Pii
from llm_gateway.guards.regex import Regex
from llm_gateway.guards.secrets import Secrets
from llm_gateway.guards.section import InjectionSection, TopicsSection
from llm_gateway.guards.system_prompt_leak import SystemPromptLeak
from llm_gateway.guards.verdict import Guard
from llm_gateway.guards.webhook import Webhook
from shared.http_client import HttpClient


def _injection(section: InjectionSection, http: HttpClient) -> Guard:
    # Numbers in bulk need a library of 20 MB: only for those who have configured something that needs it.
    from llm_gateway.guards.injection import Injection

    return Injection(section)


def _topics(section: TopicsSection, http: HttpClient) -> Guard:
    # The same, and the embeddings.
    from llm_gateway.guards.topics import Topics

    return Topics(section)


# By the `kind` of a section; each takes a section of its own kind.
GUARDS: dict[str, Callable[[Any, HttpClient], Guard]] = {
    "pii": Pii,
    "injection": _injection,
    "topics": _topics,
    "regex": Regex,
    "secrets": Secrets,
    "output_schema": OutputSchema,
    "system_prompt_leak": SystemPromptLeak,
    "length": Length,
    "language": Language,
    "webhook": Webhook,
    "judge": Judge,
}
