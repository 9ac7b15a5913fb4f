"""Conditions of routing rules: the language of policy conditions, over what is known of one model call."""

from shared.policy.condition import BadCondition, Condition, parse

# fmt: off
NAMES = frozenset((
    "sub", "actor", "actors", "hop", "depth", "tenant", "team", "project", "tier", "key", "model",
    "hour", "weekday", "tags", "labels", "headers", "dialect", "stream", "tokens", "max_tokens",
    "tools", "images", "files", "turns", "effort", "language", "script",
))
# fmt: on


def compiled(when: str) -> Condition:
    """Raises BadCondition."""
    return parse(when, NAMES)


def problem(when: str) -> str:
    """What is wrong with a condition, "" if nothing is."""
    try:
        compiled(when)
    except BadCondition as error:
        return f"the condition {error}"
    return ""
