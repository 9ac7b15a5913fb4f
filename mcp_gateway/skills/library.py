"""The skills as their MCP server offers them: what it tells depends on who asks."""

from mcp_gateway.skills.needs import Needs
from mcp_gateway.skills.shelf import SkillShelf, split
from mcp_gateway.skills.wording import written
from shared.identity.principal import Caller


class SkillLibrary:
    def __init__(self, shelf: SkillShelf, needs: Needs) -> None:
        self._shelf = shelf
        self._needs = needs

    def offered(self) -> list[tuple[str, str, str]]:
        return [(skill.id, skill.title, skill.text.description) for skill in self._shelf.latest()]

    async def told(self, name: str, caller: Caller) -> tuple[str, str] | None:
        """Policy was asked about `name` as it stands. Where that is not the skill's id, it is asked again."""
        found, version = split(name)
        skill, reader = self._shelf.find(found, version), await self._needs.of(caller)
        if skill is None or (name != found and not reader.reads(found)):
            return None
        [needed] = await reader.needed([skill])
        return skill.text.description, written(skill, needed)
