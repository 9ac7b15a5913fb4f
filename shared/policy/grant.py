"""The ticket that policy gives: a stage that asks for a Grant cannot be reached without one."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from shared.errors import Forbidden
from shared.identity.principal import Caller
from shared.policy.decision import Decision
from shared.policy.policy import Policy

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_SHOWN = 200


class Grant(Struct, frozen=True):
    caller: Caller
    resource: str
    action: str
    decision: Decision


def authorize(
    policy: Policy, caller: Caller, resource: str, action: str, facts: Mapping[str, Any] = _NOTHING
) -> Grant:
    """Asks policy about every principal of the caller's chain. Raises Forbidden."""
    return granted(policy.decide_chain(caller, resource, action, facts), caller, resource, action)


def granted(decision: Decision, caller: Caller, resource: str, action: str) -> Grant:
    """The grant of a decision that allows. Raises Forbidden; the log alone learns which rule refused."""
    if decision.allowed:
        return Grant(caller, resource, action, decision)
    shown = resource if len(resource) <= _SHOWN else resource[:_SHOWN] + "…"
    chain = f" (one of the chain {' -> '.join(caller.actors)})" if len(caller.actors) > 1 else ""
    refused = Forbidden(
        f"{decision.hop}{chain} may not {action} {shown}: {_advice(decision)}",
        cause=f"{decision.why} (epoch {decision.epoch})",
    )
    refused.rule, refused.epoch = decision.rule, decision.epoch
    if decision.rule == "scope":
        refused.scope = resource
    raise refused


def _advice(decision: Decision) -> str:
    if decision.rule == "scope":
        return "the scope of the credential does not cover it; use one that was issued for it"
    return "policy does not allow it; an operator can see why with `gatestack policy explain`"
