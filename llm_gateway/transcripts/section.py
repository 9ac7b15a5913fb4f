"""Whose prompts and replies are kept, as an operator writes it."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from llm_gateway.guards.section import FACTS

Redactor = Literal["pii", "secrets"]


class TranscriptSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first section whose `match` fits a call decides about it; where none does, nothing is kept.

    `match` are facts (tenant, team, project, tier, user, agent, key, model, tag) and the texts they must
    equal, in which `*` stands for any text. `sample` is the share of its calls that is kept. `redact` names
    what is taken out first. Calls with more than `max_bytes` to keep are not kept at all.
    """

    match: dict[str, str]
    sample: Annotated[float, Meta(ge=0, le=1)] = 1.0
    redact: tuple[Redactor, ...] = ("pii", "secrets")
    retention_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    max_bytes: Annotated[int, Meta(ge=1, le=16_777_216)] = 262_144


def problems(sections: Sequence[TranscriptSection]) -> Iterator[str]:
    """What the types alone cannot see, as `[index].field: problem`."""
    for place, section in enumerate(sections):
        if not section.match:
            yield f"[{place}].match: must say whose calls are kept, like team: support"
        for fact in section.match:
            if fact not in FACTS:
                yield f"[{place}].match.{fact}: no such fact ({', '.join(FACTS)})"
