"""Content guards of chats, one file a kind: they know what a chat is. The others are in `shared/guards`."""

from collections.abc import Callable
from typing import Any

from llm_gateway.guards.judge import Judge
from llm_gateway.guards.occasion import ChatOccasion
from llm_gateway.guards.output_schema import OutputSchema
from llm_gateway.guards.system_prompt_leak import SystemPromptLeak
from shared.guards import TEXT_GUARDS
from shared.guards.verdict import Guard
from shared.http_client import HttpClient

# By the `kind` of a section; each takes a section of its own kind.
GUARDS: dict[str, Callable[[Any, HttpClient], Guard[ChatOccasion]]] = {
    **TEXT_GUARDS,
    "output_schema": OutputSchema,
    "system_prompt_leak": SystemPromptLeak,
    "judge": Judge,
}
