"""Skills as the registry's API tells of them: listed, found by words and by meaning, with what they need."""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from mcp_gateway.registry.shown import Shown
from mcp_gateway.search.ranking import ranked, words
from mcp_gateway.skills.needs import Needs
from mcp_gateway.skills.shelf import SCHEME, Skill, SkillShelf
from shared.identity.principal import Caller

# How alike a skill and a question have to be where they have no word in common.
_ALIKE = 0.2
_READ = 2_000


class Directory:
    key = "skill"

    def __init__(self, shelf: SkillShelf, needs: Needs) -> None:
        self._shelf = shelf
        self._needs = needs

    async def visible(self, caller: Caller) -> list[Shown]:
        """By id, the newest version first: what the caller may read."""
        return [await self._shown(skill, caller) for skill in await self._mine(caller)]

    async def search(self, caller: Caller, text: str) -> list[Shown]:
        """Latest versions, best first: those that have the words, then those that mean something alike."""
        skills = [skill for skill in await self._mine(caller) if skill.latest]
        best = ranked(text, [words(skill.id, _about(skill)) for skill in skills])
        if len(best) < len(skills):
            # The first time, the model is loaded.
            alike = await asyncio.to_thread(_alike, text, [_purpose(skill) for skill in skills])
            best += [place for place in alike if place not in best]
        return [await self._shown(skills[place], caller) for place in best]

    async def _mine(self, caller: Caller) -> list[Skill]:
        names = dict.fromkeys(skill.id for skill in self._shelf.all())
        may = {name: await self._needs.reads(name, caller) for name in names}
        return [skill for skill in self._shelf.all() if may[skill.id]]

    async def _shown(self, skill: Skill, caller: Caller) -> Shown:
        needed = await self._needs(skill, caller)
        content: dict[str, Any] = {
            "id": skill.id,
            "version": skill.entry.version,
            "title": skill.title,
            "description": skill.text.description,
            "instructions": skill.text.instructions,
            "needs": msgspec.to_builtins(needed.needs),
            "complete": needed.complete,
            "uri": SCHEME + skill.id,
        }
        return Shown(entry=skill.entry, content=content, latest=skill.latest)


def _about(skill: Skill) -> str:
    return " ".join((_purpose(skill), *skill.entry.labels, skill.text.instructions))[:_READ]


def _purpose(skill: Skill) -> str:
    """What it is for, without the many words of how it is done."""
    return f"{skill.title}: {skill.text.description}"


def _alike(text: str, others: Iterable[str]) -> list[int]:
    """The places of those that mean something alike, most alike first."""
    # Half a second and 60 MB: only for those who search skills.
    from shared.embed import embed

    vectors = embed([text, *others])
    likeness = [float(value) for value in vectors[1:] @ vectors[0]]
    return sorted((n for n, value in enumerate(likeness) if value >= _ALIKE), key=lambda n: -likeness[n])
