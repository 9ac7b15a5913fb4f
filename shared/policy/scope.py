"""The scope of a credential: resource patterns that narrow what policy allows and never widen it."""

from collections.abc import Sequence

from shared.policy.glob import covers


def in_scope(scope: Sequence[str], resource: str) -> bool:
    """Whether `scope` leaves `resource` open. An empty scope narrows nothing."""
    return not scope or any(covers(pattern, resource) for pattern in scope)
