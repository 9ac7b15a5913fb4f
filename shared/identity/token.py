"""What stands in the tokens that carry a caller: claims from a caller, and a caller from verified claims.

An identity token goes from one service to the next, a delegation token to an agent, which calls back with it.
`act` nests for others (RFC 8693 section 4.1), decisions use `chain`, our own list; both must say the same.
"""

from typing import Any

import msgspec
from msgspec import Struct

from shared import trace as w3c
from shared.clock import Clock
from shared.errors import DelegationRefused, Unauthenticated
from shared.identity.principal import Bounds, Caller, ChainBudget, Principal, Trace
from shared.ledger.entry import new_id

IDENTITY = "txn+jwt"
DELEGATION = "delegation+jwt"
HEADER = "txn-token"
_IDENTITY_SECONDS = 120
_DELEGATION_SECONDS = 86_400
_WALL = Clock()

Claims = dict[str, Any]


class _Budget(ChainBudget, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dimension that we do not know is one that we could not enforce."""


class _Bounds(Bounds, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As with the budget: a bound that we do not know is one that we could not keep."""


# Most callers have neither.
_UNBOUND, _NO_BOUNDS = _Bounds(), Bounds()
_UNCAPPED, _NO_BUDGET = _Budget(), ChainBudget()


class _Claims(Struct, kw_only=True):
    """What both kinds of token carry, beside what the verifier has already checked."""

    iss: str
    sub: str
    tenant: str
    team: str
    project: str
    tier: str
    scope: tuple[str, ...]
    chain: tuple[str, ...]
    txn: str
    hop: int
    parent: str
    key: str
    trace: str
    budget: _Budget
    iat: int
    exp: int
    roles: tuple[str, ...] = ()
    bounds: _Bounds = _UNBOUND
    act: Any = None


def identity_claims(
    caller: Caller,
    *,
    issuer: str,
    audience: str,
    entry_id: str,
    trace: Trace | None,
    ttl: int = 60,
    clock: Clock = _WALL,
) -> Claims:
    """What a service tells the service `audience` about its caller, below the entry `entry_id`."""
    return _claims(caller, issuer, audience, entry_id, trace, min(ttl, _IDENTITY_SECONDS), clock)


def delegation_claims(
    caller: Caller,
    *,
    issuer: str,
    audience: str = "api_gateway",
    entry_id: str,
    trace: Trace | None,
    ttl: int,
    clock: Clock = _WALL,
) -> Claims:
    """What an agent may call back with. `caller` is what `Caller.through` gave: delegated already. Raises
    DelegationRefused when the time that the caller was given is over.
    """
    if caller.depth == 0:
        raise ValueError(f"{caller.actor} has not delegated to anybody")
    if caller.bounds.until and caller.bounds.until <= clock.now():
        raise DelegationRefused("the time that this delegation was given is over")
    missing = caller.depth - len(caller.bounds.delegations)
    # A token that only takes another's place is still the same delegation.
    ids = (*caller.bounds.delegations, *(new_id() for _ in range(missing)))
    bounds = msgspec.structs.replace(caller.bounds, delegations=ids)
    caller = msgspec.structs.replace(caller, bounds=bounds)
    return _claims(caller, issuer, audience, entry_id, trace, min(ttl, _DELEGATION_SECONDS), clock)


def caller_from_identity(claims: Claims) -> Caller:
    """The caller in a verified identity token. Raises Unauthenticated when the claims do not make one."""
    return _caller(claims, "identity", _IDENTITY_SECONDS)


def caller_from_delegation(claims: Claims) -> Caller:
    """The caller in a verified delegation token. Raises Unauthenticated when the claims do not make one."""
    caller = _caller(claims, "delegation", _DELEGATION_SECONDS)
    if caller.depth == 0:
        raise Unauthenticated("this token's chain names nobody who was delegated to")
    return caller


def _claims(
    caller: Caller, issuer: str, audience: str, entry_id: str, trace: Trace | None, ttl: int, clock: Clock
) -> Claims:
    principal, now = caller.principal, int(clock.now())
    claims: Claims = {
        "iss": issuer,
        "aud": audience,
        "sub": principal.sub,
        "tenant": principal.tenant,
        "team": principal.team,
        "project": principal.project,
        "tier": principal.tier,
        "scope": principal.scope,
        "chain": caller.actors,
        "txn": caller.chain,
        "hop": caller.hop + 1,
        "parent": entry_id,
        "key": caller.key,
        "trace": w3c.render(trace) if trace is not None else "",
        "budget": _caps(caller.budget),
        "iat": now,
        "exp": min(now + ttl, caller.bounds.until or now + ttl),
        "jti": new_id(),
    }
    if principal.roles:
        claims["roles"] = principal.roles
    if caller.bounds != Bounds():
        claims["bounds"] = msgspec.to_builtins(caller.bounds)
    if act := nested(caller.actors):
        claims["act"] = act
    return claims


def _caller(claims: Claims, credential: str, longest: int) -> Caller:
    try:
        found = msgspec.convert(claims, _Claims)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Unauthenticated(f"this token's claims are not a caller: {error}") from error
    if found.exp - found.iat > longest:
        raise Unauthenticated(f"this token is valid for longer than the {longest} seconds allowed")
    context = w3c.parse(found.trace)
    if problem := _problem(found, context):
        raise Unauthenticated(f"this token's claims contradict each other: {problem}")
    return Caller(
        principal=Principal(
            sub=found.sub,
            tenant=found.tenant,
            team=found.team,
            project=found.project,
            tier=found.tier,
            scope=found.scope,
            roles=found.roles,
        ),
        actors=found.chain,
        chain=found.txn,
        credential=credential,
        hop=found.hop,
        parent=found.parent,
        key=found.key,
        budget=_NO_BUDGET
        if found.budget == _UNCAPPED
        else ChainBudget(**msgspec.structs.asdict(found.budget)),
        bounds=_NO_BOUNDS if found.bounds is _UNBOUND else Bounds(**msgspec.structs.asdict(found.bounds)),
        trace=context,
    )


def _problem(claims: _Claims, context: Trace | None) -> str:
    """What no caller of ours can be; "" where all is well."""
    chain = claims.chain
    if not (claims.sub and claims.tenant and claims.txn):
        return "sub, tenant or txn is empty"
    if not chain or chain[0] != claims.sub:
        return "chain does not start with sub"
    if "" in chain or len(set(chain)) != len(chain):
        return "chain names somebody twice, or nobody"
    if claims.act != nested(chain):
        return "act is not what chain says"
    if claims.hop < 1 or (claims.budget != _UNCAPPED and min(_caps(claims.budget).values()) < 0):
        return "hop or budget is below what can be"
    bounds = claims.bounds
    if (
        bounds.until < 0
        or (bounds.until and claims.exp > bounds.until)
        or (bounds.depth is not None and len(chain) - 1 > bounds.depth)
        or len(bounds.delegations) > len(chain) - 1
    ):
        return "it reaches further than its bounds"
    if claims.trace and context is None:
        return "trace is not a traceparent"
    return ""


def nested(actors: tuple[str, ...]) -> dict[str, Any] | None:
    """The actors but the first as RFC 8693 nests them: whoever acts now is outermost."""
    act: dict[str, Any] | None = None
    for actor in actors[1:]:
        act = {"sub": actor} if act is None else {"sub": actor, "act": act}
    return act


def _caps(budget: ChainBudget) -> dict[str, int]:
    caps = msgspec.structs.asdict(budget)
    return {name: cap for name, cap in caps.items() if cap is not None}
