"""Skills in the registry: publish a version of one, and change its state."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from api_gateway.admin import Answer, Ask, published
from api_gateway.control import Control
from shared.catalog_entries import LONGEST_ID, SKILL_ID, CatalogEntry, SkillText, needs_problems
from shared.errors import BadRequest

_Short = Annotated[str, Meta(max_length=200)]


class NewSkill(SkillText, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A skill with its instructions and what it needs."""

    id: _Short
    version: _Short
    owner: _Short = ""
    labels: Annotated[tuple[_Short, ...], Meta(max_length=50)] = ()
    state: Literal["active", "deprecated"] = "active"


async def listing(control: Control, ask: Ask) -> Answer:
    """Every version of every skill."""
    return 200, {"skills": await published.listing(control, ask, "skill")}


async def publish(control: Control, ask: Ask) -> Answer:
    """Publishes a version of a skill."""
    published.everywhere(ask)
    wanted = ask.read(NewSkill)
    if not SKILL_ID.fullmatch(wanted.id) or len(wanted.id) > LONGEST_ID:
        raise BadRequest(f"id: at most {LONGEST_ID} lower-case letters, digits and single dashes")
    found = needs_problems(wanted)
    if found:
        raise BadRequest(found[0])
    content = {name: msgspec.to_builtins(getattr(wanted, name)) for name in SkillText.__struct_fields__}
    now = control.now_us()
    entry = CatalogEntry(
        kind="skill",
        name=wanted.id,
        version=wanted.version,
        content=content,
        owner=wanted.owner or ask.caller.actor,
        labels=wanted.labels,
        state=wanted.state,
        by=ask.caller.actor,
        published_at=now,
        updated_at=now,
    )
    return 200, await published.publish(control, ask, entry)


async def state(control: Control, ask: Ask) -> Answer:
    """Changes the state of a version."""
    return await published.state(control, ask, "skill")


PAGES = (*published.pages("/catalog/skills", "skills", (listing, publish, state), NewSkill),)
