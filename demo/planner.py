"""`python -m demo.planner`: answers questions by a plan. May read the clock; asks researcher for what it
may not do itself.
"""

from typing import Any

from a2a.server.tasks import TaskUpdater

from demo.agent import Agent, main, say
from demo.stack import Stack, text_of

_ZONES = {
    "Berlin": "Europe/Berlin",
    "Tokyo": "Asia/Tokyo",
    "Nairobi": "Africa/Nairobi",
    "New York": "America/New_York",
    "Sydney": "Australia/Sydney",
}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"enum": list(_ZONES)}, "history": {"type": "boolean"}},
    "required": ["city", "history"],
    "additionalProperties": False,
}
_TASK = "Name the city of the question, and whether it also asks for the history of a project."
_EXAMPLES = [
    ("How late is it in Berlin?", '{"city": "Berlin", "history": false}'),
    ("What time is it in Sydney, and what changed in the project?", '{"city": "Sydney", "history": true}'),
    ("Tell me the time in New York and the last commit.", '{"city": "New York", "history": true}'),
]


class Planner(Agent):
    name = "planner"
    does = "Plans how to answer a question, and has others do what it may not do itself."
    skill = "plan"

    async def act(self, stack: Stack, question: str, updater: TaskUpdater) -> str:
        await say(updater, "asking the model for a plan")
        plan = await stack.think(_TASK, _EXAMPLES, question, _SCHEMA)
        city = plan.get("city", "Berlin")
        await say(updater, f"the plan: the time in {city}, then the project's history")
        async with stack.tools() as tools:
            names = [tool.name for tool in (await tools.list_tools()).tools]
            now = text_of(
                await tools.call_tool("time__get_current_time", {"timezone": _ZONES.get(city, "UTC")})
            )
        await say(updater, f"the tools I may use: {', '.join(names)}; for the history I ask researcher")
        history = await stack.ask("researcher", question)
        return f"It is {_clock(now)} in {city}. The last change to the project: {history}"


def _clock(answer: str) -> str:
    """Hours and minutes out of what the time server answers."""
    _, found, rest = answer.partition('"datetime": "')
    return rest[11:16] if found else answer[:40]


if __name__ == "__main__":
    main(Planner())
