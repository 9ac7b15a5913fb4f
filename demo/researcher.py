"""`python -m demo.researcher`: knows what has been done to the project. May read its history, and nothing
else.
"""

import os
import re
from typing import Any

from a2a.server.tasks import TaskUpdater

from demo.agent import Agent, main, say
from demo.stack import Stack, text_of

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["feature", "fix", "text"]},
        "about": {"type": "string", "maxLength": 60},
    },
    "required": ["kind", "about"],
    "additionalProperties": False,
}
_TASK = "Say which kind of change a title is, and what it is about in a few of its own words."
_EXAMPLES = [
    ("Fix the crash when a file is empty", '{"kind": "fix", "about": "empty files"}'),
    (
        "Add a search box to the list of orders",
        '{"kind": "feature", "about": "search in the list of orders"}',
    ),
    ("Explain how to install it", '{"kind": "text", "about": "how to install it"}'),
]


class Researcher(Agent):
    name = "researcher"
    does = "Looks into the project's history and says what was done last."
    skill = "history"

    async def act(self, stack: Stack, question: str, updater: TaskUpdater) -> str:
        await say(updater, "reading the project's history")
        asked = {"repo_path": os.environ["DEMO_REPOSITORY"], "max_count": 1}
        async with stack.tools() as tools:
            log = text_of(await tools.call_tool("git__git_log", asked))
        title, author = _field("Message", log), _field("Author", log)
        await say(updater, "asking the model what that change is about")
        found = await stack.think(_TASK, _EXAMPLES, title, _SCHEMA)
        kind, about = found.get("kind", "change"), found.get("about", title)
        return f"“{title}”, by {author}. The model calls it a {kind} about “{about}”."


def _field(name: str, log: str) -> str:
    """One field of what the git server prints for a commit."""
    match = re.search(rf"{name}:\s*(?:<git.Actor )?[\"'“]?([^\n\"<]+)", log)
    return match[1].strip(" '\">") if match else "unknown"


if __name__ == "__main__":
    main(Researcher())
