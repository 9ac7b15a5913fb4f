"""What policy lets one caller know of, while it answers one request: asked often, with facts that are looked
up once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.identity.principal import Caller
from shared.policy import Policy


class Sight:
    """`facts` are those of the call, without labels: these are the things' own."""

    __slots__ = ("_caller", "_facts", "_policy")

    def __init__(self, policy: Policy, caller: Caller, facts: Mapping[str, Any]) -> None:
        self._policy = policy
        self._caller = caller
        self._facts = facts

    def __call__(self, resource: str, actions: Sequence[str], labels: Sequence[str] = ()) -> bool:
        """Whether the caller could do any of this to what may be anywhere, or nowhere."""
        facts = {**self._facts, "labels": tuple(labels)}
        return any(self._policy.possible(self._caller, resource, action, facts) for action in actions)
