"""The card of what has none: made from how it is configured, and for an MCP server from those of its tools
that are trusted.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from agent_gateway.catalog import Agent
from shared.bridges import Bridge, ChatBridge, SkillEntry, ToolsBridge
from shared.clock import Clock
from shared.errors import Unavailable, UpstreamUnreachable
from shared.redis_client import Redis, RedisError
from shared.tool_pins import ToolPins

Json = dict[str, Any]
_LONGEST = 1_000


class _Definition(Struct):
    name: str = ""
    title: str = ""
    description: str = ""


class MadeCards:
    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._pins = ToolPins(redis, clock)

    async def __call__(self, agent: Agent, bridge: Bridge) -> Json:
        """Raises UpstreamUnreachable while nobody can say which tools are trusted."""
        skills = bridge.skills
        if isinstance(bridge, ToolsBridge) and not skills:
            skills = await self._tools(bridge.server)
        return card(agent, bridge, skills)

    async def _tools(self, server: str) -> tuple[SkillEntry, ...]:
        try:
            pins = await self._pins.pins(server)
        except (Unavailable, RedisError) as error:
            raise UpstreamUnreachable(f"the tools of {server} cannot be listed", cause=error) from error
        return tuple(_skill(name, pins[name].definition) for name in sorted(pins))


def card(agent: Agent, bridge: Bridge, skills: Sequence[SkillEntry]) -> Json:
    """Whoever serves it says where the agent is and how it is secured."""
    talks = isinstance(bridge, ChatBridge)
    words = bridge.description or (
        f"Answers in words, as {agent.name}." if talks else f"The tools of {agent.name}."
    )
    own = SkillEntry(id="chat", name="Chat", description=words, tags=("text",))
    modes = ["text/plain", "application/json"]
    return {
        "name": agent.name,
        "description": words,
        "version": agent.version or "1.0.0",
        "supportedInterfaces": [],
        "capabilities": {"streaming": True, "pushNotifications": False, "extendedAgentCard": False},
        "defaultInputModes": [*modes, "image/*"] if talks else modes,
        "defaultOutputModes": modes[:1] if talks else modes,
        "skills": [_shown(skill) for skill in (skills or ((own,) if talks else ()))],
    }


def _shown(skill: SkillEntry) -> Json:
    return {
        "id": skill.id,
        "name": skill.name or skill.id,
        "description": skill.description or skill.name or skill.id,
        "tags": list(skill.tags),
    }


def _skill(name: str, definition: bytes) -> SkillEntry:
    try:
        found = msgspec.json.decode(definition or b"{}", type=_Definition)
    except msgspec.DecodeError:
        found = _Definition()
    return SkillEntry(
        id=name, name=found.title or name, description=found.description[:_LONGEST], tags=("tool",)
    )
