"""Guards as an operator writes them, those that only know chats; the others are in `shared/guards`."""

from typing import Annotated, Any

from msgspec import Meta, field

from shared.config import Secret
from shared.guards.section import CALLER_FACTS, Count, GuardSection, Seconds, TextGuardSection

FACTS = (*CALLER_FACTS, "model", "tag")


class OutputSchemaSection(
    GuardSection, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="output_schema", tag_field="kind"
):
    """Where `schema` is empty it is the one that the caller asked for, and calls that ask for none are left
    alone.
    """

    schema: dict[str, Any] = field(default_factory=dict)


class SystemPromptSection(
    GuardSection,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="system_prompt_leak",
    tag_field="kind",
):
    """A reply leaks when it repeats `words` words of the system prompt in a row, at `runs` places or more."""

    words: Annotated[int, Meta(ge=3, le=50)] = 8
    runs: Count = 2


class JudgeSection(
    GuardSection, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="judge", tag_field="kind"
):
    """A model of this gateway that answers a question of policy with yes (refuse) or no. `url` is the
    gateway's or the edge's own, `key` a virtual key that may use `model`.
    """

    url: str
    key: Secret
    model: str
    policy: str
    border: Count = 2_000
    timeout_seconds: Seconds = 30.0
    max_chars: Count = 50_000


AnyGuardSection = TextGuardSection | OutputSchemaSection | SystemPromptSection | JudgeSection
