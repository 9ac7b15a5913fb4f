"""How principals and resources may be called: the kinds there are, and names that no request can carry."""

from collections.abc import Iterable, Mapping
from typing import Any

PRINCIPALS = ("user", "agent", "service")
GROUPS = ("team", "project", "tier")
SUBJECTS = (*PRINCIPALS, *GROUPS, "role")
RESOURCES = ("model", "tool", "prompt", "resource", "agent", "route", "admin")
ANY = "*"

# These name groups in rules. A request that carried one would pass for every member of the group.
_RESERVED = ("role:", "team:", "project:", "tier:", "catalog:")


def nameable(sub: str, dom: str, obj: str, act: str) -> bool:
    """Whether a request may carry these names: none is empty, a pattern, or the name of a group."""
    if not (sub and dom and obj and act) or ANY in sub or ANY in dom or ANY in obj or ANY in act:
        return False
    return not sub.startswith(_RESERVED) and not obj.startswith(_RESERVED)


def anyof(sub: str) -> str:
    """How rules speak of everybody of one kind: `agent:*` for `agent:planner`."""
    kind, colon, _ = sub.partition(":")
    return f"{kind}:{ANY}" if colon else ANY


def membership(ctx: Mapping[str, Any]) -> tuple[str, str, str, tuple[str, ...]]:
    """Team, project, tier and given roles that count as subjects: only where the chain begins (hop 0)."""
    if ctx.get("hop", 0) != 0:
        return ("", "", "", ())
    given = ctx.get("roles")
    roles = tuple(_text(role) for role in given) if isinstance(given, tuple | list) else ()
    return (_text(ctx.get("team")), _text(ctx.get("project")), _text(ctx.get("tier")), roles)


def groups(team: str, project: str, tier: str, roles: Iterable[str] = ()) -> list[str]:
    """The subjects that a membership gives: `team:support`, `role:auditor`."""
    named = zip(GROUPS, (team, project, tier), strict=True)
    found = [f"{kind}:{name}" for kind, name in named if name]
    return found + [f"role:{role}" for role in roles if role]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
