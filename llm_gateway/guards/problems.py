"""What is wrong with guards that the types alone cannot see."""

from collections.abc import Iterator, Sequence

from llm_gateway.guards.output_schema import validator
from llm_gateway.guards.section import (
    FACTS,
    AnyGuardSection,
    JudgeSection,
    OutputSchemaSection,
    SystemPromptSection,
)
from shared.guards.problems import address_problems
from shared.guards.problems import problems as text_problems

_ONLY_REPLIES = (OutputSchemaSection, SystemPromptSection)


def problems(sections: Sequence[AnyGuardSection]) -> list[str]:
    """As `[index].field: problem`."""
    return text_problems(sections, FACTS, own=_of_chats)


def _of_chats(section: AnyGuardSection) -> Iterator[str]:
    if "request" in section.on and isinstance(section, _ONLY_REPLIES):
        yield "on: this guard looks at replies only"
    if isinstance(section, OutputSchemaSection) and section.schema:
        yield from _schema(section)
    elif isinstance(section, JudgeSection):
        yield from address_problems(section.url)
        if not section.key:
            yield "key: a judge needs a virtual key that may use its model"


def _schema(section: OutputSchemaSection) -> Iterator[str]:
    try:
        validator(section.schema)
    except ValueError as error:
        yield f"schema: {str(error)[:200]}"
