"""Which facts the services tell policy about the calls to each kind of resource, and which of them the ledger
keeps.
"""

from collections.abc import Iterable

from shared.policy.names import ANY, RESOURCES

# Of every call: who calls, and when.
ALWAYS = frozenset(
    (
        "sub",
        "actor",
        "actors",
        "hop",
        "depth",
        "tenant",
        "team",
        "project",
        "tier",
        "roles",
        "key",
        "hour",
        "weekday",
    )
)
_OF: dict[str, frozenset[str]] = {
    "model": frozenset(("model", "provider", "labels", "tags", "taint")),
    "tool": frozenset(("server", "tool", "args", "labels", "taint")),
    "prompt": frozenset(("server", "args", "labels", "taint")),
    "resource": frozenset(("server", "args", "labels", "taint")),
    "agent": frozenset(("agent", "skill", "method", "labels", "taint")),
    "route": frozenset(("method", "path")),
    "admin": frozenset(("method", "path")),
}
UNRECORDED = frozenset(("args", "labels", "taint", "method", "path"))


def facts_of(patterns: Iterable[str]) -> frozenset[str]:
    """Every fact that a call to something these patterns cover can have."""
    kinds = {pattern.partition(":")[0] for pattern in patterns}
    wide = any(ANY in kind for kind in kinds)
    told = (_OF[kind] for kind in RESOURCES if wide or kind in kinds)
    return ALWAYS.union(*told)
