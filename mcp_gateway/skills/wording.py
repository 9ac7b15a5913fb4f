"""A skill as text: what somebody, or a model, who has to do it is told."""

from mcp_gateway.methods import Kind
from mcp_gateway.skills.needs import Need, Needed
from mcp_gateway.skills.shelf import Skill
from mcp_gateway.surfaces import joined


def written(skill: Skill, needed: Needed) -> str:
    """Markdown: the instructions, and below them what is there for it and what is not."""
    parts = [f"# {skill.title}", skill.text.description, skill.text.instructions]
    if skill.entry.state == "deprecated":
        parts.insert(1, "This version is deprecated.")
    ready = [f"- {_named(need)}" for need in needed.needs if need.ready]
    missing = [f"- {_named(need)}" for need in needed.needs if not need.ready]
    if ready:
        parts.append("\n".join(("## What you have for it", "", *ready)))
    if missing:
        parts.append("\n".join(("## What is missing", "", *missing)))
    if not needed.complete:
        parts.append("Not everything that this takes can be used by you here: say so where it matters.")
    return "\n\n".join(part for part in parts if part) + "\n"


def _named(need: Need) -> str:
    if need.kind == "model":
        return f"model `{need.name}`"
    kind: Kind = need.kind
    server, _, name = need.name.partition("/")
    return f"{kind} `{need.name}` (`{joined(server, kind, name)}` on the merged endpoint)"
