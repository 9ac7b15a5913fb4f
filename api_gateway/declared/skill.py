"""Skills in the registry, declared: their instructions and what they need."""

from typing import Any

import msgspec

from api_gateway.declared.entry import Entries, EntrySpec
from shared.catalog_entries import LONGEST_ID, SKILL_ID, CatalogEntry, SkillText, needs_problems
from shared.errors import BadRequest


class SkillSpec(EntrySpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`skill` is what it says."""

    skill: SkillText


def _content(name: str, version: str, spec: SkillSpec) -> dict[str, Any]:
    if not SKILL_ID.fullmatch(name) or len(name) > LONGEST_ID:
        raise BadRequest(f"name: at most {LONGEST_ID} lower-case letters, digits and single dashes")
    if found := needs_problems(spec.skill):
        raise BadRequest(f"skill.{found[0]}")
    content: dict[str, Any] = msgspec.to_builtins(spec.skill)
    return content


def _spec(entry: CatalogEntry) -> SkillSpec:
    return SkillSpec(
        skill=msgspec.convert(entry.content, SkillText),
        owner=entry.owner,
        labels=entry.labels,
        state=entry.state,
        source=entry.source,
    )


SKILLS = Entries("skill", SkillSpec, _content, _spec)
