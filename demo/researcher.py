"""`python -m demo.researcher`: knows what has been done to the project. May read its history, and nothing
else.
"""

import os
import re
from typing import Any

from a2a.server.tasks import TaskUpdater

from demo.agent import Agent, main, say
from demo.stack import Stack, text_of

_SHORT = 3
_TASK = "Say which kind of change a title is, and which of its words tells most about it."
_EXAMPLES = [
    ("Fix the crash when a file is empty", '{"kind": "fix", "word": "crash"}'),
    ("Add a search box to the list of orders", '{"kind": "feature", "word": "search"}'),
    ("Explain how to install the package", '{"kind": "text", "word": "install"}'),
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
        found = await stack.think(_TASK, _EXAMPLES, title, _schema(title))
        kind, word = found.get("kind", "change"), found.get("word", title)
        return f"“{title}”, by {author}. The model takes it for a {kind} that is mostly about “{word}”."


def _schema(title: str) -> dict[str, Any]:
    """The grammar leaves a model this small only answers that make sense: it chooses among the title's
    own words.
    """
    words = [word for word in dict.fromkeys(re.findall(r"\w+", title)) if len(word) > _SHORT] or [title[:40]]
    return {
        "type": "object",
        "properties": {"kind": {"enum": ["feature", "fix", "text"]}, "word": {"enum": words}},
        "required": ["kind", "word"],
        "additionalProperties": False,
    }


def _field(name: str, log: str) -> str:
    """One field of what the git server prints for a commit."""
    match = re.search(rf"{name}:\s*(?:<git.Actor )?[\"'“]?([^\n\"<]+)", log)
    return match[1].strip(" '\">") if match else "unknown"


if __name__ == "__main__":
    main(Researcher())
