"""What an operator says about one curated catalog: which items it has, and what they are called there."""

import re
from collections.abc import Collection

from msgspec import Struct

# What the small surface calls its own.
_TAKEN = ("search_tools", "describe_tool", "call_tool")
# What model APIs accept as the name of a tool.
_LEGAL = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class CatalogTool(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tool is called in a catalog, and how it is described there; "" leaves it as it is."""

    name: str = ""
    description: str = ""


class CatalogRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`include` and `exclude` are patterns over `<server>/<name>`, with `*` for any text; `labels` includes
    what has any of them. What policy groups under `catalog:<id>` is in it too. `tools` edits by
    `<server>/<name>`. `search` offers three tools that find the others instead of all of them.
    """

    include: list[str] = []
    exclude: list[str] = []
    labels: list[str] = []
    tools: dict[str, CatalogTool] = {}
    instructions: str = ""
    search: bool = False


def problems(path: str, rule: CatalogRule, servers: Collection[str]) -> list[str]:
    """What the types alone cannot see, as `path: problem`."""
    found: list[str] = []
    for field, patterns in (("include", rule.include), ("exclude", rule.exclude)):
        for place, pattern in enumerate(patterns):
            if "/" not in pattern and "*" not in pattern:
                found.append(f"{path}.{field}[{place}]: {pattern!r} is not <server>/<name>, * for any text")
    given: dict[str, str] = {}
    for tool, edit in rule.tools.items():
        server, slash, name = tool.partition("/")
        if not slash or not name or server not in servers:
            found.append(f"{path}.tools.{tool}: is not <server>/<tool> with a server that exists")
        if edit.name:
            found += [f"{path}.tools.{tool}.name: {edit.name!r} {why}" for why in _wrong(edit.name, servers)]
            if edit.name in given:
                found.append(f"{path}.tools.{tool}.name: {given[edit.name]} is called {edit.name!r} too")
            given.setdefault(edit.name, tool)
    return found


def _wrong(name: str, servers: Collection[str]) -> list[str]:
    """What is wrong with a tool's name in a catalog."""
    found = [] if _LEGAL.fullmatch(name) else ["is no name that models accept"]
    server, separator, _ = name.partition("__")
    if separator and server in servers:
        found.append("reads like a tool of another name")
    if name in _TAKEN:
        found.append("is a tool of the gateway's own")
    return found
