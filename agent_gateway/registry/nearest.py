"""Agents by what they are for: those that have the words, then those whose card means something alike."""

from collections.abc import Iterator, Sequence

from agent_gateway.registry.skills import Known, score, words_of
from shared.meaning import Meaning

# A card is its publisher's: it must not cost more than this to look at.
_MOST_SKILLS = 32


class Nearest:
    def __init__(self) -> None:
        self._meaning = Meaning()

    async def __call__(self, text: str, agents: Sequence[Known]) -> list[Known]:
        """Those of `agents` that fit, best first. An agent is as near as the nearest of its skills."""
        words = words_of(text)
        points = {place: score(agent, words) if words else 0 for place, agent in enumerate(agents)}
        having = sorted((place for place in points if points[place]), key=lambda place: -points[place])
        said = [(place, each) for place, agent in enumerate(agents) for each in _said(agent)]
        alike = await self._meaning.alike(text, [each for _, each in said])
        return [agents[place] for place in dict.fromkeys((*having, *(said[n][0] for n in alike)))]


def _said(agent: Known) -> Iterator[str]:
    yield f"{agent.title}: {agent.description}"
    for skill in agent.skills[:_MOST_SKILLS]:
        yield f"{skill.name or skill.id}: {skill.description} {' '.join(skill.tags)}"
