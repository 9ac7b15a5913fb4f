"""Skills as the registry's API tells of them: listed, found by words and by meaning, with what they need."""

from collections.abc import Sequence
from typing import Any

import msgspec

from mcp_gateway.registry.shown import Shown
from mcp_gateway.search.ranking import ranked
from mcp_gateway.skills.needs import Needed, Needs, Reader
from mcp_gateway.skills.shelf import SCHEME, Skill, SkillShelf
from mcp_gateway.transports import SKILLS
from shared.errors import Killed
from shared.identity.principal import Caller
from shared.kill import KillSwitch
from shared.ledger.entry import Entry
from shared.meaning import Meaning


class Directory:
    key = "skill"

    def __init__(self, shelf: SkillShelf, needs: Needs, kill: KillSwitch) -> None:
        self._shelf = shelf
        self._needs = needs
        self._kill = kill
        self._meaning = Meaning()

    async def visible(self, caller: Caller) -> list[Shown]:
        """By id, the newest version first: what the caller may read."""
        return [_named(skill) for skill in self._mine(await self._needs.of(caller))]

    async def search(self, caller: Caller, text: str) -> list[Shown]:
        """Latest versions, best first: those that have the words, then those that mean something alike."""
        skills = [skill for skill in self._mine(await self._needs.of(caller)) if skill.latest]
        best = ranked(text, [skill.words for skill in skills])
        if len(best) < len(skills):
            having = set(best)
            alike = await self._meaning.alike(text, [skill.purpose for skill in skills])
            best += [place for place in alike if place not in having]
        return [_named(skills[place]) for place in best]

    async def described(self, page: Sequence[Shown], caller: Caller) -> list[Shown]:
        """With the instructions, and what the caller has of what they take. Raises Unavailable."""
        found = [self._shelf.kept(shown.entry.name, shown.entry.version) for shown in page]
        # One that has gone while the answer was put together is left out.
        skills = [skill for skill in found if skill is not None]
        reader = await self._needs.of(caller)
        return [
            msgspec.structs.replace(
                _named(skill), content=_content(skill, needed, stopped=self._stopped(skill, caller))
            )
            for skill, needed in zip(skills, await reader.needed(skills), strict=True)
        ]

    def _stopped(self, skill: Skill, caller: Caller) -> bool:
        """Whether the kill switch stops this skill for the caller: a list of many goes on without it."""
        use = Entry(id="", service="", started_at=0, caller=caller, server=SKILLS, skill=skill.id)
        try:
            self._kill.check(use)
        except Killed:
            return True
        return False

    def _mine(self, reader: Reader) -> list[Skill]:
        names = dict.fromkeys(skill.id for skill in self._shelf.all())
        may = {name: reader.reads(name) for name in names}
        return [skill for skill in self._shelf.all() if may[skill.id]]


def _named(skill: Skill) -> Shown:
    own = {"id": skill.id, "version": skill.entry.version}
    return Shown(entry=skill.entry, content=own, latest=skill.latest)


def _content(skill: Skill, needed: Needed, *, stopped: bool) -> dict[str, Any]:
    gone = stopped or skill.entry.state == "deleted"
    return {
        "id": skill.id,
        "version": skill.entry.version,
        "title": skill.title,
        "description": skill.text.description,
        # Nobody follows what was taken back or stopped.
        "instructions": "" if gone else skill.text.instructions,
        "needs": msgspec.to_builtins(needed.needs),
        "complete": needed.complete and not gone,
        "uri": SCHEME + (skill.id if skill.latest else f"{skill.id}@{skill.entry.version}"),
    }
