"""Principals and callers: what every authenticator returns, whatever the credential was."""

import msgspec
from msgspec import Struct

from shared.errors import DelegationRefused


class Principal(Struct, frozen=True, kw_only=True):
    """Who a chain was started by: `user:alice`, `agent:planner`, `service:billing`.

    `scope` narrows what policy allows to these resource patterns (`model:*`, `tool:git/*`); empty means not
    narrowed. `roles` are those that an identity provider has given, beside the ones that policy itself gives.
    """

    sub: str
    tenant: str
    team: str = ""
    project: str = ""
    tier: str = ""
    scope: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


class ChainBudget(Struct, frozen=True, kw_only=True):
    """What one chain may use as a whole. None is no cap. Money in micro-dollars, `seconds` of wall time."""

    micros: int | None = None
    tokens: int | None = None
    model_calls: int | None = None
    tool_calls: int | None = None
    agent_calls: int | None = None
    seconds: int | None = None

    def narrowed(self, other: "ChainBudget") -> "ChainBudget":
        """The stricter of the two in every dimension."""
        if self == _UNCAPPED or other == _UNCAPPED:
            return other if self == _UNCAPPED else self
        return ChainBudget(
            micros=_least(self.micros, other.micros),
            tokens=_least(self.tokens, other.tokens),
            model_calls=_least(self.model_calls, other.model_calls),
            tool_calls=_least(self.tool_calls, other.tool_calls),
            agent_calls=_least(self.agent_calls, other.agent_calls),
            seconds=_least(self.seconds, other.seconds),
        )


_UNCAPPED = ChainBudget()


class Bounds(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a delegation reaches, beside its scope: each only ever gets narrower from hop to hop.

    `until` is in seconds since 1970 (0: no end of its own): no token for this branch outlives it. `depth` is
    the most delegations that the whole chain may have. `shares` are the budgets of the branches that the
    caller is in, outermost first, each as `shared/limits/branch.py` writes it. `limits` are those of the key
    that the chain was started with (`shared/limits/own.py`). `delegations` are ids, outermost first: to
    revoke one ends what was handed on with it.
    """

    until: int = 0
    depth: int | None = None
    shares: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    delegations: tuple[str, ...] = ()


class Trace(Struct, frozen=True, kw_only=True):
    """A W3C trace context (https://www.w3.org/TR/trace-context/): ids in lower-case hex, 32 and 16 digits."""

    trace_id: str
    span_id: str
    sampled: bool = False


class Caller(Struct, frozen=True, kw_only=True):
    """An authenticated caller: the principal a chain belongs to and the actors it has passed through.

    `actors` is ordered and starts with `principal.sub`; the last one acts now. `parent` is the ledger entry
    that this call hangs below ("" at the root), `hop` counts services passed. `trace` is the context a
    signed token carried. `credential` says how it was proved: `key`, `delegation`, `oidc`, `identity`. `key`
    is a key's id, never its secret.
    """

    principal: Principal
    actors: tuple[str, ...]
    chain: str
    credential: str
    hop: int = 0
    parent: str = ""
    key: str = ""
    budget: ChainBudget = ChainBudget()
    bounds: Bounds = Bounds()
    trace: Trace | None = None

    @property
    def actor(self) -> str:
        return self.actors[-1]

    @property
    def depth(self) -> int:
        """How many principals have delegated so far; 0 for a direct call."""
        return len(self.actors) - 1

    def through(self, actor: str, *, max_depth: int) -> "Caller":
        """This caller after it has delegated to `actor`. Raises DelegationRefused on a cycle or past
        `max_depth`.
        """
        if actor in self.actors:
            raise DelegationRefused(f"{actor} is already part of this chain: {' -> '.join(self.actors)}")
        if self.bounds.depth is not None:
            max_depth = min(max_depth, self.bounds.depth)
        if self.depth + 1 > max_depth:
            raise DelegationRefused(
                f"this chain is {self.depth} delegations deep and the limit is {max_depth}"
            )
        return msgspec.structs.replace(self, actors=(*self.actors, actor))


def _least(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
