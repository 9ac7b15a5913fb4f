"""Agents that were registered while the stack runs: what the control plane keeps of each and publishes as
the `agents` snapshot. There are no secrets in it.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from shared.bridges import Bridge
from shared.identity.detached import TrustedKey

State = Literal["active", "quarantined", "disabled"]
Share = Annotated[float, Meta(ge=0, le=1)]
# What Redis keeps of cards that have changed: one field an agent, see `agent_gateway/trust`.
DRIFT = "gs:agents:drift"


class Delegation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of its chain an agent is handed on: these resources at most, this share of the budget that is left
    (None: all of it), for so many seconds (0: as long as the chain lives).
    """

    scope: tuple[str, ...] = ()
    budget_share: Share | None = None
    seconds: Annotated[int, Meta(ge=0)] = 0


class AgentRecord(Struct, frozen=True, kw_only=True):
    """`tenant` is who may use it, "" for all. A `bridge` stands where there is no agent. Without it and a
    `card_url` it says more about an agent of the configuration file: its state, its labels, which card is
    approved. `pin` is the hash of `card`, the one that was approved; `keys` are JWKs that may sign the next
    one. `at` is in microseconds since 1970.
    """

    name: str
    tenant: str = ""
    owner: str = ""
    version: str = ""
    labels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    state: State = "active"
    reason: str = ""
    card_url: str = ""
    bridge: Bridge | None = None
    credential: Literal["delegation", "none"] = "delegation"
    delegation: Delegation = Delegation()
    keys: tuple[dict[str, Any], ...] = ()
    pin: str = ""
    card: dict[str, Any] = {}
    by: str = ""
    at: int = 0


class Drift(Struct, frozen=True):
    """A card that is not the approved one: its hash, the card, what has changed, when that was noticed,
    and whether a key that may do so has signed it.
    """

    pin: str
    card: dict[str, Any]
    changes: list[str]
    why: str
    at: int
    signed: bool = False


def trusted_keys(jwks: tuple[dict[str, Any], ...]) -> tuple[TrustedKey, ...]:
    """Raises ValueError where one cannot be used."""
    return tuple(TrustedKey.of(jwk) for jwk in jwks)
