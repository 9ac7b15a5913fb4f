"""Servers and skills that were published or imported while the stack runs: what the control plane keeps of
each version and publishes as the `catalog` snapshot. There are no secrets in it, and nothing in it is called.
"""

import re
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Kind = Literal["server", "skill"]
# `imported` is what another registry says, and nobody here has looked at; `quarantined` what seems to hide
# something, and nobody is shown.
State = Literal["active", "deprecated", "deleted", "imported", "quarantined"]
SKILL_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}")
# A reversed domain, and what its owner calls the server.
SERVER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.-]*/[a-zA-Z0-9][a-zA-Z0-9._-]*")
LONGEST_NAME = 200
# Of configured servers that say no other: a top-level domain that nobody can have (RFC 6762, appendix G).
OWN_NAMESPACE = "internal.gatestack"
LATEST = "latest"
LONGEST_ID = 64
_Text = Annotated[str, Meta(max_length=65_536)]
_Short = Annotated[str, Meta(min_length=1, max_length=1_000)]
_Names = Annotated[tuple[_Short, ...], Meta(max_length=100)]


class SkillText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a skill says. `instructions` are Markdown; `tools` and `prompts` are `<server>/<name>`, `models`
    are aliases: what it needs to be done.
    """

    description: _Short
    instructions: _Text
    title: Annotated[str, Meta(max_length=200)] = ""
    tools: _Names = ()
    prompts: _Names = ()
    models: _Names = ()


class CatalogEntry(Struct, frozen=True, kw_only=True):
    """One version of one thing. `content` is a server's `server.json` or a `SkillText`; `source` is the
    registry that it was imported from, `findings` what seems to be hidden in it. `by` and `reason` are of the
    last change. Times are in microseconds since 1970. One without content was removed: all that is left of it
    is that its version is used up.
    """

    kind: Kind
    name: str
    version: str
    content: dict[str, Any]
    owner: str = ""
    labels: tuple[str, ...] = ()
    state: State = "active"
    source: str = ""
    findings: tuple[str, ...] = ()
    by: str = ""
    reason: str = ""
    published_at: int = 0
    updated_at: int = 0

    @property
    def removed(self) -> bool:
        return not self.content


def needs_problems(text: SkillText) -> list[str]:
    """What the types alone cannot see, as `path: problem`. Names become part of what the reader is told."""
    odd = [
        f"{kind}[{place}]: {name[:80]!r} is not printable"
        for kind, names in (("tools", text.tools), ("prompts", text.prompts), ("models", text.models))
        for place, name in enumerate(names)
        if not name.isprintable()
    ]
    return odd + [
        f"{kind}[{place}]: {name[:80]!r} is not <server>/<name>"
        for kind, names in (("tools", text.tools), ("prompts", text.prompts))
        for place, name in enumerate(names)
        if "" in name.partition("/")
    ]
